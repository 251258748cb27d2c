package transport

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/quic-go/quic-go"
)

// alpn is the protocol that both sides name in TLS.
const alpn = "git-remote-xmpp"

// certificate wraps a key in a certificate, in which nothing but the key means anything.
func certificate(key ed25519.PrivateKey) (tls.Certificate, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// peerKey is the key that a TLS peer proved to have.
func peerKey(state tls.ConnectionState) (ed25519.PublicKey, error) {
	if len(state.PeerCertificates) != 1 {
		return nil, errors.New("the peer shows no key")
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the peer's key isn't an Ed25519 key")
	}
	return key, nil
}

// tlsConfig is the part that both roles share: certificates are judged by their key alone, which TLS proves possession of.
func tlsConfig(cert tls.Certificate, check func(ed25519.PublicKey) error) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{alpn}, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true,
		InsecureSkipVerify: true, // no names, no authorities: VerifyConnection compares keys
		VerifyConnection: func(state tls.ConnectionState) error {
			key, err := peerKey(state)
			if err != nil {
				return err
			}
			return check(key)
		},
	}
}

// A KeyChangedError says that the peer at an address has another key than the one that is pinned. It is an [ErrKeyChanged].
type KeyChangedError struct {
	Peer      string // full JID
	Want, Got ed25519.PublicKey
}

func (e *KeyChangedError) Error() string {
	return fmt.Sprintf("the key of %s has changed", e.Peer)
}

// Is makes it an ErrKeyChanged.
func (e *KeyChangedError) Is(target error) bool { return target == ErrKeyChanged }

// resetKey derives the key for stateless resets (RFC 9000, 10.3) from the identity, so that after a restart the
// peers of old connections learn at once that these are gone.
func resetKey(key ed25519.PrivateKey) *quic.StatelessResetKey {
	mac := hmac.New(sha256.New, key.Seed())
	mac.Write([]byte("git-remote-xmpp stateless reset"))
	return (*quic.StatelessResetKey)(mac.Sum(nil))
}
