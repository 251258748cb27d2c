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
	"path/filepath"
	"time"

	"git-remote-xmpp/internal/statefile"
	"git-remote-xmpp/internal/xmppserver"
)

// certificateLifetime is how long the embedded server's certificate is good, ten years: clients have a copy of it, so it
// isn't replaced without need.
const certificateLifetime = 3652 * 24 * time.Hour

// serverCertificate returns the embedded server's certificate for a domain, made at first use and kept in the data
// folder, and the file with nothing but the certificate, for clients. The domain must be fit for a file's name.
func serverCertificate(ctx context.Context, data, domain string) (cert tls.Certificate, file string, err error) {
	dir := filepath.Join(data, "server")
	err = statefile.Lock(ctx, dir, func() error {
		cert, file, err = lockedCertificate(dir, domain)
		return err
	})
	return cert, file, err
}

// lockedCertificate is serverCertificate for who holds the folder's lock.
func lockedCertificate(dir, domain string) (cert tls.Certificate, file string, err error) {
	if err := statefile.CheckDir(dir); err != nil {
		return cert, "", err
	}
	both := filepath.Join(dir, "key-"+domain+".pem") // the key, and the certificate
	text, err := statefile.ReadPrivate(both)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = newServerCertificate(domain); err == nil {
			err = statefile.Replace(both, text)
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
	return cert, file, statefile.Replace(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
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
