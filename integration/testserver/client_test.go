package testserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// client is a session of mellium.im/xmpp: a client that isn't ours. One
// goroutine, joined at the test's end, reads it.
type client struct {
	*xmpp.Session
	bodies chan string // of the messages that arrived
	served chan error  // what ended the session
}

// login opens a session for an account, with SCRAM and a verified certificate.
func login(ctx context.Context, t *testing.T, s *Server, name string, direct bool) *client {
	t.Helper()
	account := jid.MustParse(name + "@" + s.Domain)
	conn, features := dialServer(ctx, t, s, direct)
	features = append(features,
		xmpp.SASL("", s.Accounts[name], sasl.ScramSha256, sasl.ScramSha1), xmpp.BindResource())
	var mask xmpp.SessionState
	if direct {
		mask = xmpp.Secure
	}
	session, err := xmpp.NewSession(ctx, account.Domain(), account, conn, mask,
		xmpp.NewNegotiator(func(*xmpp.Session, *xmpp.StreamConfig) xmpp.StreamConfig {
			return xmpp.StreamConfig{Features: features}
		}))
	if err != nil {
		t.Fatalf("log in as %s: %v%s", account, err, tail(s.LogFile))
	}
	c := &client{Session: session, bodies: make(chan string, 16), served: make(chan error, 1)}
	joined := make(chan struct{})
	go func() {
		defer close(joined)
		c.served <- session.Serve(xmpp.HandlerFunc(c.handle))
	}()
	t.Cleanup(func() {
		conn.Close()
		<-joined
	})
	return c
}

// dialServer connects, with TLS if direct and a STARTTLS feature otherwise.
func dialServer(ctx context.Context, t *testing.T, s *Server, direct bool) (net.Conn, []xmpp.StreamFeature) {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: s.Domain}
	config.RootCAs.AppendCertsFromPEM(pem)
	addr := s.Addr
	if direct {
		addr = s.DirectTLSAddr
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	if direct {
		return tls.Client(conn, config), nil
	}
	return conn, []xmpp.StreamFeature{xmpp.StartTLS(config)}
}

// handle passes on the bodies of messages.
func (c *client) handle(r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	if start.Name.Local != "message" {
		return nil
	}
	var m message
	if err := xml.NewTokenDecoder(xmlstream.Wrap(r, *start)).Decode(&m); err != nil {
		return err
	}
	c.bodies <- m.Body
	return nil
}

// message is a message stanza with a body.
type message struct {
	stanza.Message
	Body string `xml:"body"`
}

// sendBody sends a headline of size bytes in its body.
func (c *client) sendBody(ctx context.Context, to jid.JID, size int) error {
	return c.Encode(ctx, message{
		Message: stanza.Message{To: to, Type: stanza.HeadlineMessage},
		Body:    strings.Repeat("x", size),
	})
}

// testContext ends before go test's own timeout would.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// startServer starts a server that is stopped at the test's end.
func startServer(ctx context.Context, t *testing.T, name string, o Options) *Server {
	t.Helper()
	Require(t, name)
	s, err := Start(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// eachServer runs a test with Prosody and with ejabberd.
func eachServer(t *testing.T, test func(t *testing.T, name string)) {
	for _, name := range []string{Prosody, Ejabberd} {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}

// receive waits for the next message's body.
func (c *client) receive(ctx context.Context, t *testing.T) string {
	t.Helper()
	select {
	case body := <-c.bodies:
		return body
	case err := <-c.served:
		t.Fatalf("session ended: %v", err)
	case <-ctx.Done():
		t.Fatal("no message came")
	}
	return ""
}
