package transport_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/internal/xmppserver"
	"git-remote-xmpp/transport"
)

// A ploy is what somebody in between tries in order to get at the password.
type ploy struct {
	cert   func(*testing.T) tls.Certificate // nil: one of the right name that nobody trusts
	trust  bool                             // the client trusts who issued it
	script func(*talk)
	want   string // what the user reads
}

// ask waits for whatever the client still says.
func ask(c *talk) { c.await("\x00never") }

var ploys = map[string]ploy{
	"no TLS in the offer": {want: "the server offers no TLS", script: func(c *talk) {
		_ = c.await(">") && c.say(header+mechanismsOf("PLAIN")+success)
		ask(c)
	}},
	"TLS refused": {want: "the server refuses to start TLS", script: func(c *talk) {
		_ = c.await(">") && c.say(header+starttls+"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"+header+mechanismsOf("PLAIN"))
		ask(c)
	}},
	"words before TLS": {want: "data before TLS started", script: func(c *talk) {
		_ = c.await("<starttls") && c.say(header+starttls+proceed+header+mechanismsOf("PLAIN"))
		ask(c)
	}},
	"words in place of TLS": {want: "first record does not look like a TLS handshake", script: func(c *talk) {
		if c.say(header+starttls) && c.await("<starttls") && c.say(proceed) && c.await("\x16\x03") {
			c.say(header + mechanismsOf("PLAIN"))
		}
		ask(c)
	}},
	"certificate of nobody": {want: "isn't signed by an authority that we trust", script: impostor},
	"certificate for another": {want: "the server's certificate isn't for localhost", trust: true, script: impostor,
		cert: func(t *testing.T) tls.Certificate { return newCert(t, "elsewhere.example", time.Now().Add(time.Hour)) }},
	"certificate of the past": {want: "the server's certificate has expired", trust: true, script: impostor,
		cert: func(t *testing.T) tls.Certificate { return newCert(t, "localhost", time.Now().Add(-time.Hour)) }},
	"TLS of the past": {want: "protocol version", trust: true, script: func(c *talk) {
		if c.say(header+starttls) && c.await("<starttls") && c.await("/>") && c.say(proceed) && c.tls(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) {
			_ = c.say(header+mechanismsOf("PLAIN")) && c.say(success)
		}
		ask(c)
	}},
}

// impostor does all that the server would.
func impostor(c *talk) {
	c.login()
	ask(c)
}

func (p ploy) fake(t *testing.T) *fake {
	if p.cert == nil {
		p.cert = goodCert
	}
	return newFake(t, p.cert(t), p.script)
}

// onlyHeaders is all that may go out without verified TLS: who is meant, and the wish for TLS. What follows is TLS's own.
var onlyHeaders = regexp.MustCompile(`(?s)^<\?xml version='1\.0'\?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx\.jabber\.org/streams' to='localhost' version='1\.0' xml:lang='en'>` +
	`(<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>)?(\x16\x03.*)?$`)

// checkSilence looks at what somebody in between got to know.
func checkSilence(t *testing.T, f *fake, user, password string) {
	t.Helper()
	raw, inside, came := f.told()
	if came == 0 {
		t.Fatal("nobody came")
	}
	if inside != "" {
		t.Errorf("said in TLS to the wrong one: %q", inside)
	}
	for one := range strings.SplitSeq(strings.TrimPrefix(raw, "<?xml"), "<?xml") {
		if !onlyHeaders.MatchString("<?xml" + one) {
			t.Errorf("said without TLS: %.300q", one)
		}
	}
	plain := "\x00" + user + "\x00" + password
	for _, secret := range []string{password, user, base64.StdEncoding.EncodeToString([]byte(plain)), base64.StdEncoding.EncodeToString([]byte(password))} {
		if strings.Contains(raw, strings.TrimRight(secret, "=")) {
			t.Errorf("%q went over the wire", secret)
		}
	}
}

// scene is who is in between, and whom it is played to.
func (p ploy) scene(t *testing.T) (*fake, transport.Config) {
	t.Helper()
	f := p.fake(t)
	cfg := f.config(t)
	if !p.trust {
		cfg.RootCAs = nil
	}
	return f, cfg
}

// Whoever is in between without a certificate of the server's gets to know nothing but which domain is meant.
func TestInBetweenFirstLogin(t *testing.T) {
	for name, p := range ploys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, cfg := p.scene(t)
			_, err := transport.Start(t.Context(), cfg)
			if !errors.Is(err, transport.ErrServer) || errors.Is(err, transport.ErrPassword) || !strings.Contains(err.Error(), p.want) {
				t.Errorf("%v, want %q", err, p.want)
			}
			checkSilence(t, f, "alice", cfg.Password)
		})
	}
	t.Run("direct TLS", func(t *testing.T) {
		f := newFake(t, goodCert(t), func(c *talk) {
			if c.tls(&tls.Config{}) {
				ask(c)
			}
		})
		cfg := f.config(t)
		cfg.RootCAs, cfg.Server = nil, "tls://"+cfg.Server
		if _, err := transport.Start(t.Context(), cfg); !errors.Is(err, transport.ErrServer) {
			t.Error(err)
		}
		if raw, inside, _ := f.told(); inside != "" || !strings.HasPrefix(raw, "\x16\x03") || strings.Contains(raw, cfg.Password) {
			t.Errorf("%q, %q", raw, inside)
		}
	})
}

// The same, when the connection to the real server has been cut. The endpoint is back when the way to the server is.
func TestInBetweenReconnect(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		for name, p := range ploys {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := p.fake(t)
				way := newProxy(t, s.Addr)
				cfg := configFor(t, s, "alice", "git-"+strings.ReplaceAll(name, " ", "-"))
				cfg.Server = way.Addr().String()
				if p.trust {
					cfg.RootCAs.AddCert(f.cert.Leaf)
				}
				linked := make(chan struct{}, 100)
				cfg.Linked = func() { linked <- struct{}{} }
				start(t, cfg)
				expect(t, linked, struct{}{})
				way.lead(f.Addr().String())
				f.awaitConnection(t, 2)
				way.lead(s.Addr)
				expect(t, linked, struct{}{})
				checkSilence(t, f, "alice", cfg.Password)
			})
		}
	})
}

// Somebody in between who has the server's certificate and takes channel binding out of its offer is found out by the server at the first login: we say that we
// could have bound.
func TestStrippedBinding(t *testing.T) {
	cert := goodCert(t)
	server, err := xmppserver.Listen(t.Context(), xmppserver.Config{Addr: "127.0.0.1:0", Accounts: map[string]string{"alice": fakePassword}, Certificate: &cert})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	for _, strip := range []bool{false, true} {
		f := newFake(t, cert, func(c *talk) { relay(c, server.Addr().String(), strip) })
		cfg := f.config(t)
		e, err := transport.Start(t.Context(), cfg)
		if err == nil {
			e.Close()
		}
		if !errors.Is(err, transport.ErrServer) {
			t.Errorf("strip %v: %v", strip, err)
		}
		if _, inside, _ := f.told(); strip != strings.Contains(inside, "mechanism='SCRAM-SHA-256'") {
			t.Errorf("strip %v: %q", strip, inside)
		}
	}
}

// relay passes on what is said between a client and a server, in TLS with each.
func relay(c *talk, to string, strip bool) {
	if !c.secure() {
		return
	}
	raw, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer raw.Close()
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}})
	go func() {
		_, _ = io.Copy(conn, c)
		_ = raw.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := conn.Read(buf)
		text := string(buf[:n])
		if strip {
			text = regexp.MustCompile(`<mechanism>[^<]*-PLUS</mechanism>|<sasl-channel-binding.*</sasl-channel-binding>`).ReplaceAllString(text, "")
		}
		if !c.say(text) || err != nil {
			return
		}
	}
}
