package testserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"net"
	"os"
	"testing"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// Client is a session of mellium.im/xmpp: a client that isn't ours. One
// goroutine, joined at the test's end, reads it.
type Client struct {
	*xmpp.Session
	Messages chan Message // with a body, that arrived; somebody has to take them
	entered  chan jid.JID // rooms, with the nick
	served   chan error   // what ended the session
}

// Login opens a session for an account, with SCRAM and a verified certificate. It lasts as long as ctx's deadline or the test.
func Login(ctx context.Context, t testing.TB, s *Server, name string, direct bool) *Client {
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
	c := &Client{Session: session, Messages: make(chan Message, 64), entered: make(chan jid.JID, 1), served: make(chan error, 1)}
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
func dialServer(ctx context.Context, t testing.TB, s *Server, direct bool) (net.Conn, []xmpp.StreamFeature) {
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

// handle passes on messages with a body, and our own presence in rooms.
func (c *Client) handle(r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	d := xml.NewTokenDecoder(xmlstream.Wrap(r, *start))
	switch start.Name.Local {
	case "message":
		var m Message
		if err := d.Decode(&m); err != nil || m.Body == "" {
			return err
		}
		c.Messages <- m
	case "presence":
		var p struct {
			stanza.Presence
			Status []struct {
				Code string `xml:"code,attr"`
			} `xml:"http://jabber.org/protocol/muc#user x>status"`
		}
		if err := d.Decode(&p); err != nil {
			return err
		}
		for _, status := range p.Status {
			if status.Code == "110" && p.Type == "" {
				c.entered <- p.From
			}
		}
	}
	return nil
}

// Message is a message stanza with a body.
type Message struct {
	stanza.Message
	Body string `xml:"body"`
}

// Enter enters a room (XEP-0045), which is made if it isn't there.
func (c *Client) Enter(ctx context.Context, t testing.TB, room jid.JID, nick string) {
	t.Helper()
	to, err := room.WithResource(nick)
	if err == nil {
		err = c.Encode(ctx, struct {
			stanza.Presence
			Room struct{} `xml:"http://jabber.org/protocol/muc x"`
		}{Presence: stanza.Presence{To: to}})
	}
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.entered:
	case err := <-c.served:
		t.Fatalf("session ended: %v", err)
	case <-ctx.Done():
		t.Fatalf("%s isn't entered", room)
	}
}

// Appear has the account be online: it gets what comes for it from now on.
func (c *Client) Appear(ctx context.Context, t testing.TB) {
	t.Helper()
	if err := c.Encode(ctx, struct {
		XMLName xml.Name `xml:"presence"`
	}{}); err != nil {
		t.Fatal(err)
	}
}

// Receive waits for the next message with a body.
func (c *Client) Receive(ctx context.Context, t testing.TB) Message {
	t.Helper()
	select {
	case m := <-c.Messages:
		return m
	case err := <-c.served:
		t.Fatalf("session ended: %v", err)
	case <-ctx.Done():
		t.Fatal("no message came")
	}
	return Message{}
}
