package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	// certificateYears is how long the embedded server's certificate is good: clients have a copy of it, so it
	// isn't replaced without need.
	certificateYears = 10
	lockTimeout      = 10 * time.Second
	lockRetryDelay   = 10 * time.Millisecond
)

// serverCertificate returns the embedded server's certificate for a domain, made at first use and kept in the data
// folder, and the file with nothing but the certificate, for clients. The domain must be fit for a file's name.
func serverCertificate(ctx context.Context, data, domain string) (cert tls.Certificate, file string, err error) {
	dir := filepath.Join(data, "server")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return cert, "", err
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, lockRetryDelay); err != nil {
		return cert, "", fmt.Errorf("lock %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()

	both := filepath.Join(dir, "key-"+domain+".pem") // the key, and the certificate
	text, err := os.ReadFile(both)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = newServerCertificate(domain, time.Now()); err == nil {
			err = replaceFile(both, text)
		}
	}
	if err != nil {
		return cert, "", err
	}
	if cert, err = tls.X509KeyPair(text, text); err != nil {
		return cert, "", fmt.Errorf("%s: %w: remove it, and a new one is made", both, err)
	}
	if now := time.Now(); now.After(cert.Leaf.NotAfter) {
		return cert, "", fmt.Errorf("%s has expired: remove it, and a new one is made for clients to trust", both)
	}
	file = filepath.Join(dir, "cert-"+domain+".pem")
	return cert, file, replaceFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
}

// replaceFile puts a file of mode 0600 in the place of path, whole or not at all. The caller holds the folder's lock.
func replaceFile(path string, text []byte) error {
	temp := path + ".tmp"
	if err := os.WriteFile(temp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// newServerCertificate makes a certificate for a domain and for loopback, which is its own authority, and its
// key: both in PEM.
func newServerCertificate(domain string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: domain},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(certificateYears, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(domain); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else {
		template.DNSNames = append(template.DNSNames, domain)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil), nil
}
