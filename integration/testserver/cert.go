package testserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// keyPair is a certificate on disk: self-signed, its own CA file, or signed by a
// federation's authority.
type keyPair struct {
	certFile string         // PEM, the certificate
	keyFile  string         // PEM, the private key
	bothFile string         // PEM, key and certificate, as ejabberd wants them
	caFile   string         // PEM, what verifies it
	pool     *x509.CertPool // just that
}

// makeKeyPair writes a key and a certificate for domain, localhost,
// 127.0.0.1 and more addresses into dir; it is valid for a day.
func makeKeyPair(dir, domain string, f *Federation, more ...net.IP) (*keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: domain},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  f == nil,
		DNSNames:              []string{domain},
		IPAddresses:           append(more, net.IPv4(127, 0, 0, 1)),
	}
	if domain != DefaultDomain {
		template.DNSNames = append(template.DNSNames, DefaultDomain)
	}
	issuer, signer := template, key
	if f != nil {
		issuer, signer = f.ca, f.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back a certificate: %w", err)
	}
	pair := &keyPair{
		certFile: filepath.Join(dir, "cert.pem"),
		keyFile:  filepath.Join(dir, "key.pem"),
		bothFile: filepath.Join(dir, "both.pem"),
		pool:     x509.NewCertPool(),
	}
	pair.caFile = pair.certFile
	if f != nil {
		cert, pair.caFile = f.ca, f.caFile
	}
	pair.pool.AddCert(cert)
	return pair, pair.write(der, keyDER)
}

// write stores the pair's three files.
func (p *keyPair) write(cert, key []byte) error {
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for file, content := range map[string][]byte{
		p.certFile: certPEM,
		p.keyFile:  keyPEM,
		p.bothFile: append(keyPEM[:len(keyPEM):len(keyPEM)], certPEM...),
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
