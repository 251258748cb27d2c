package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync"

	"mellium.im/xmpp/jid"
)

// A Progress watches logins, for whoever wants to know how far one got, and what was found out on the way. The zero value is ready for use.
type Progress struct {
	mu    sync.Mutex
	login Login
}

// A Login is what is known of a login. What it hasn't come to has its zero value.
type Login struct {
	Targets     []string          // ways to the server, the best first: host:port, or tls://host:port
	Address     string            // that was connected to
	Certificate *x509.Certificate // the server's, also one that wasn't accepted
	TLSVersion  uint16            // once TLS has come about
	Offered     string            // mechanisms
	Mechanism   string            // by which we are logged in
	JID         jid.JID           // bound
	MaxStanza   int               // the server's limit for what we send, in bytes; 0 if it doesn't say
}

// Login is the latest one, as far as it has got.
func (p *Progress) Login() Login {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.login
}

// note takes note of something, if anybody watches.
func (p *Progress) note(change func(l *Login)) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.login)
}

func (p *Progress) targets(list []target) {
	p.note(func(l *Login) {
		l.Targets = nil
		for _, t := range list {
			text := t.addr
			if t.directTLS {
				text = "tls://" + text
			}
			l.Targets = append(l.Targets, text)
		}
	})
}

// handshake notes how TLS came about, or the certificate because of which it didn't.
func (p *Progress) handshake(state tls.ConnectionState, err error) {
	p.note(func(l *Login) {
		var bad *tls.CertificateVerificationError
		switch {
		case err == nil && len(state.PeerCertificates) > 0:
			l.TLSVersion, l.Certificate = state.Version, state.PeerCertificates[0]
		case errors.As(err, &bad) && len(bad.UnverifiedCertificates) > 0:
			l.Certificate = bad.UnverifiedCertificates[0]
		}
	})
}
