package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"git-remote-xmpp/internal/xmppserver"
	"github.com/gofrs/flock"
)

const (
	// certificateLifetime is how long the embedded server's certificate is good, ten years: clients have a copy of it, so it
	// isn't replaced without need.
	certificateLifetime = 3652 * 24 * time.Hour
	lockTimeout         = 10 * time.Second
	lockRetryDelay      = 10 * time.Millisecond
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
		if text, err = newServerCertificate(domain); err == nil {
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

// newServerCertificate makes a certificate for a domain and its key: both in PEM.
func newServerCertificate(domain string) ([]byte, error) {
	cert, err := xmppserver.SelfSigned(domain, certificateLifetime)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}),
	}, nil), nil
}
