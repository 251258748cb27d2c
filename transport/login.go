package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"time"

	"gosrc.io/xmpp/stanza"
	"mellium.im/xmpp/jid"
)

const (
	// loginTimeout is how long a login may take in all.
	loginTimeout = 30 * time.Second
	// hastyTimeout is how long one may take that doesn't wait for features.
	hastyTimeout = 12 * time.Second
	// maxRedirects is how often a login follows a server that names another host.
	maxRedirects = 3
)

// A link is a negotiated connection: logged in and bound, before presence.
type link struct {
	*stream
	self jid.JID // full JID as bound by the server
	// maxStanza is the server's limit in bytes for what we send; 0 if it doesn't say.
	maxStanza int
}

// login connects, secures the connection, authenticates and binds a resource, on another host if the server says so: on the one that it named
// already, if there is one. The password is asked for only if there is no token that the server takes. Every error is an ErrServer.
func login(ctx context.Context, cfg *Config, named *target) (*link, error) {
	l, err := loginByToken(ctx, cfg, named)
	if !errors.Is(err, errToken) {
		return l, err
	}
	if err := askPassword(ctx, cfg, err); err != nil {
		return nil, err
	}
	return loginWith(ctx, cfg, named, nil)
}

// loginWith is a login by a token, or by the password if that is nil.
func loginWith(ctx context.Context, cfg *Config, named *target, token *Token) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	var list []target
	if named != nil {
		list = []target{*named}
	} else {
		var err error
		if list, err = targets(ctx, net.DefaultResolver, cfg.Server, cfg.Account); err != nil {
			return nil, final(fail(ErrServer, "%s: %v", cfg.Account, err))
		}
	}
	cfg.Progress.targets(list)
	for range maxRedirects + 1 {
		l, err := loginAt(ctx, cfg, list, token)
		other := redirect(err)
		if other == nil {
			return l, err
		}
		cfg.Log.Debug("the server names another host", "host", other.addr)
		list = []target{*other}
	}
	return nil, final(fail(ErrServer, "log in as %s: sent on to another host more than %d times (see-other-host), to %s at last", cfg.Account, maxRedirects, list[0].addr))
}

// askPassword sees to it that there is a password. If there is none, the user is told why the token was no use, too.
func askPassword(ctx context.Context, cfg *Config, noToken error) error {
	if cfg.Password != "" || cfg.AskPassword == nil {
		return nil
	}
	password, err := cfg.AskPassword(ctx)
	if err != nil {
		text := err.Error()
		if noToken != errToken {
			text += " (" + noToken.Error() + ")"
		}
		return &failure{text: text, kinds: []error{ErrServer, errNoPassword, errFinal, err}}
	}
	cfg.Password = password
	return nil
}

// loginAt logs in to the first of some targets that answers. It asks for what it will need before it has seen that there is such a thing; with a server that
// can't take that, it tries once more and waits for the features.
func loginAt(ctx context.Context, cfg *Config, list []target, token *Token) (*link, error) {
	hasty, cancel := context.WithTimeout(ctx, hastyTimeout)
	defer cancel()
	l, err := attempt(hasty, cfg, list, manner{token: token, hasty: true})
	if err == nil || ctx.Err() != nil || errors.Is(err, errFinal) || errors.Is(err, errToken) {
		return l, err
	}
	cfg.Log.Debug("log in again, more slowly", "err", err)
	if token == nil {
		return attempt(ctx, cfg, list, manner{})
	}
	patient, stop := context.WithTimeout(ctx, hastyTimeout)
	defer stop()
	if l, err = attempt(patient, cfg, list, manner{token: token}); patient.Err() != nil && ctx.Err() == nil {
		err = withoutToken(cfg, "%v", err)
	}
	return l, err
}

// A manner is how to log in.
type manner struct {
	token *Token // nil: by the password
	hasty bool   // ask before the features have come
}

// errNoPassword is an error for want of a password.
var errNoPassword = errors.New("no password")

// errFinal is an error of a login that another one, slower, wouldn't mend.
var errFinal = errors.New("no login")

// attempt logs in; a hasty one asks before it has seen the features.
func attempt(ctx context.Context, cfg *Config, list []target, how manner) (*link, error) {
	conn, at, err := connect(ctx, list)
	if err != nil {
		return nil, final(unreachable(cfg, err))
	}
	cfg.Progress.note(func(l *Login) { l.Address = conn.RemoteAddr().String() })
	conn = quickAck(conn)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	l, err := negotiate(ctx, cfg, conn, at, how)
	if err == nil && stop() {
		cfg.Progress.note(func(seen *Login) { seen.JID, seen.MaxStanza = l.self, l.maxStanza })
		return l, nil
	}
	_ = conn.Close()
	var said *streamError
	switch {
	case ctx.Err() != nil:
		return nil, fail(ErrServer, "log in to %s as %s: no answer within %v", at.addr, cfg.Account, loginTimeout)
	case errors.Is(err, errToken):
		return nil, err
	case errors.Is(err, ErrServer):
		return nil, final(err)
	case errors.As(err, &said) && said.isFinal():
		return nil, &failure{text: fmt.Sprintf("log in to %s as %s: %v", at.addr, cfg.Account, said), kinds: []error{ErrServer, errFinal, said}}
	case errors.Is(err, errFinal):
		return nil, final(fail(ErrServer, "log in to %s as %s: %v", at.addr, cfg.Account, inWords(err)))
	default:
		return nil, fail(ErrServer, "log in to %s as %s: %v", at.addr, cfg.Account, inWords(err))
	}
}

// unreachable says why there is no connection to the server.
func unreachable(cfg *Config, err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fail(ErrServer, "can't reach the xmpp server of %s: there is no host %s: check the name, or set xmpp.server", cfg.Account, clean(dns.Name))
	}
	return fail(ErrServer, "can't reach the xmpp server of %s: %v: check the network, or set xmpp.server", cfg.Account, err)
}

// final says that an error isn't for want of patience.
func final(err error) error { return &failure{text: err.Error(), kinds: []error{err, errFinal}} }

func negotiate(ctx context.Context, cfg *Config, conn net.Conn, at target, how manner) (*link, error) {
	tlsConn, err := secure(ctx, cfg, conn, at, how.hasty)
	if err != nil {
		return nil, err
	}
	if how.token != nil {
		return byToken(tlsConn, cfg, tlsConn.ConnectionState(), *how.token, how.hasty)
	}
	s, offered, err := openStream(tlsConn, cfg.Account, true, "")
	if err != nil {
		return nil, err
	}
	second, err := authenticate(s, cfg, tlsConn.ConnectionState(), offered)
	if err != nil {
		return nil, err
	}
	if second != nil {
		return second.link(s, cfg)
	}
	s, offered, err = request(tlsConn, cfg.Account, true, bindRequest(cfg.Resource), how.hasty)
	if err != nil {
		return nil, err
	}
	self, err := bound(s, cfg)
	return newLink(s, self, offered), err
}

func newLink(s *stream, self jid.JID, offered *features) *link {
	l := &link{stream: s, self: self}
	if offered.Limits != nil {
		l.maxStanza = offered.Limits.MaxBytes
	}
	return l
}

// secure makes a TLS connection with a verified certificate, directly or by STARTTLS
// (RFC 6120, 5). Nothing but the stream header and the request goes out before.
func secure(ctx context.Context, cfg *Config, conn net.Conn, at target, hasty bool) (*tls.Conn, error) {
	config := &tls.Config{
		ServerName: cfg.Account.Domainpart(), RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12,
		// Records of the size of our writes: Prosody's reads are tiled by them.
		DynamicRecordSizingDisabled: true,
	}
	if at.directTLS {
		config.NextProtos = []string{"xmpp-client"} // XEP-0368
	} else if err := startTLS(conn, cfg.Account, hasty); err != nil {
		return nil, err
	}
	tlsConn := tls.Client(conn, config)
	err := tlsConn.HandshakeContext(ctx)
	cfg.Progress.handshake(tlsConn.ConnectionState(), err)
	if err != nil {
		return nil, final(err)
	}
	return tlsConn, nil
}

// request opens a stream and asks for something: at once, or when the features have come.
func request(conn net.Conn, account jid.JID, secure bool, what string, hasty bool) (*stream, *features, error) {
	if hasty {
		return openStream(conn, account, secure, what)
	}
	s, offered, err := openStream(conn, account, secure, "")
	if err == nil {
		_, err = fmt.Fprint(conn, what)
	}
	return s, offered, err
}

func startTLS(conn net.Conn, account jid.JID, hasty bool) error {
	s, offered, err := request(conn, account, false, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", hasty)
	if err != nil {
		return err
	}
	if offered.StartTLS == nil {
		return final(errors.New("the server offers no TLS: somebody may be in between; nothing was sent"))
	}
	start, err := s.next()
	if err != nil {
		return err
	}
	if err := s.decode(&stanza.TLSProceed{}, start); err != nil {
		return errors.New("the server refuses to start TLS")
	}
	if s.in.Buffered() > 0 { // somebody put in what would be taken for the server's, unprotected
		return final(errors.New("data before TLS started: somebody is in between; nothing was sent"))
	}
	return nil
}

// inWords tells failures of TLS and XML in words that say what to do, and are safe for a terminal.
func inWords(err error) error {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return errors.New("the server's certificate isn't signed by an authority that we trust: set xmpp.sslCAInfo to its PEM file if you do")
	case errors.As(err, &host):
		return fmt.Errorf("the server's certificate isn't for %s", host.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errors.New("the server's certificate has expired, or the clock is wrong")
	case errors.As(err, &invalid):
		return fmt.Errorf("the server's certificate is invalid: %s", clean(invalid.Error()))
	}
	var syntax *xml.SyntaxError
	var mismatch xml.UnmarshalError
	if errors.As(err, &syntax) || errors.As(err, &mismatch) { // which repeat what the server wrote
		return errors.New(clean(err.Error()))
	}
	return err
}
