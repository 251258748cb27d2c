package xmppserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// serve runs a server with the accounts alice, bob and carol, and checks at the
// end of the test that nothing of it is left.
func serve(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	cfg := Config{
		Addr:     "127.0.0.1:0",
		Accounts: map[string]string{"alice": "secret-a", "bob": "secret-b", "carol": "secret-c"},
	}
	if change != nil {
		change(&cfg)
	}
	s, err := Listen(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		checkLeaks(t)
	})
	return s
}

// checkLeaks waits until no goroutine of the server is left.
func checkLeaks(t testing.TB) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		stacks := string(buf[:runtime.Stack(buf, true)])
		left := ""
		for _, name := range []string{"xmppserver.(*Server)", "xmppserver.(*client)", "xmppserver.(*outbox)", "xmpp.setDeadline"} {
			if strings.Contains(stacks, name) {
				left = name
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("goroutines left in %s:\n%s", left, stacks)
		}
	}
}

func trusting(t testing.TB, s *Server) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.CertificatePEM()) {
		t.Fatal("no certificate")
	}
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// peer is a minimal XMPP client.
type peer struct {
	t    testing.TB
	conn net.Conn
	d    *xml.Decoder
	jid  string
}

// node is any element.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Nodes   []node     `xml:",any"`
	Text    string     `xml:",chardata"`
}

func (n node) attr(name string) string {
	for _, a := range n.Attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (n node) child(name string) *node {
	for i := range n.Nodes {
		if n.Nodes[i].XMLName.Local == name {
			return &n.Nodes[i]
		}
	}
	return nil
}

// condition is the name of an error's condition, "" if n is no error.
func (n node) condition() string {
	e := &n
	if n.XMLName.Local != "error" {
		e = n.child("error")
	}
	if e == nil || len(e.Nodes) == 0 {
		return ""
	}
	return e.Nodes[0].XMLName.Local
}

// rawPeer connects without TLS and says nothing yet.
func rawPeer(t testing.TB, s *Server) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &peer{t: t, conn: conn, d: xml.NewDecoder(conn)}
}

// tlsPeer connects by direct TLS.
func tlsPeer(t testing.TB, s *Server) *peer {
	t.Helper()
	p := rawPeer(t, s)
	p.secure(trusting(t, s))
	return p
}

func (p *peer) secure(cfg *tls.Config) {
	p.conn = tls.Client(p.conn, cfg)
	p.d = xml.NewDecoder(p.conn)
}

// join logs in by PLAIN over direct TLS and binds a resource.
func join(t testing.TB, s *Server, user, resource string) *peer {
	t.Helper()
	p := tlsPeer(t, s)
	p.open()
	p.plain(user, s.password(user))
	p.open()
	p.bind(resource)
	return p
}

// password is that of serve's accounts.
func (*Server) password(user string) string { return "secret-" + user[:1] }

func (p *peer) plain(user, password string) {
	p.t.Helper()
	p.sendAuth("PLAIN", "\x00"+user+"\x00"+password)
	if got := p.next().XMLName.Local; got != "success" {
		p.t.Fatalf("login: %s", got)
	}
}

func (p *peer) sendAuth(mechanism, data string) {
	p.t.Helper()
	p.send("<auth xmlns='%s' mechanism='%s'>%s</auth>", nsSASL, mechanism, base64.StdEncoding.EncodeToString([]byte(data)))
}

const header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='localhost'>"

// open begins a stream and returns the features.
func (p *peer) open() node {
	p.t.Helper()
	p.d = xml.NewDecoder(p.conn)
	p.send("%s", header)
	p.skipHeader()
	return p.next()
}

func (p *peer) skipHeader() {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		token, err := p.d.Token()
		if err != nil {
			p.t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name.Local != "stream" {
				p.t.Fatalf("header: %v", start.Name)
			}
			return
		}
	}
}

func (p *peer) bind(resource string) {
	p.t.Helper()
	p.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource></bind></iq>", resource)
	answer := p.next()
	if answer.attr("type") != "result" || answer.child("bind") == nil {
		p.t.Fatalf("bind: %+v", answer)
	}
	p.jid = answer.child("bind").child("jid").Text
}

func (p *peer) send(format string, args ...any) {
	p.t.Helper()
	p.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(p.conn, format, args...); err != nil {
		p.t.Fatal(err)
	}
}

// read returns the next element, or io.EOF when the stream has ended.
func (p *peer) read() (node, error) {
	p.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		token, err := p.d.Token()
		if err != nil {
			return node{}, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			var n node
			err := p.d.DecodeElement(&n, &token)
			return n, err
		case xml.EndElement:
			return node{}, io.EOF
		}
	}
}

func (p *peer) next() node {
	p.t.Helper()
	n, err := p.read()
	if err != nil {
		p.t.Fatalf("%s: read: %v", p.jid, err)
	}
	return n
}

// expectEnd reads a stream error and the end of the stream.
func (p *peer) expectEnd(condition string) {
	p.t.Helper()
	n := p.next()
	if n.XMLName.Space != "http://etherx.jabber.org/streams" || n.condition() != condition {
		p.t.Fatalf("got %v %s, want stream error %s", n.XMLName, n.condition(), condition)
	}
	if _, err := p.read(); !errors.Is(err, io.EOF) {
		p.t.Fatalf("after %s: %v", condition, err)
	}
}

// sync waits until the server has handled what p has sent. What p receives until
// then is returned.
func (p *peer) sync() (before []node) {
	p.t.Helper()
	p.send("<iq type='get' id='sync' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
	for {
		n := p.next()
		if n.attr("id") == "sync" {
			return before
		}
		before = append(before, n)
	}
}

// comeOnline sends initial presence and forgets what comes back.
func (p *peer) comeOnline() {
	p.t.Helper()
	p.send("<presence/>")
	p.sync()
}

func sprint(token xml.Token) string {
	if text, ok := token.(xml.CharData); ok {
		return string(text)
	}
	return fmt.Sprint(token)
}
