package xmppserver

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// impatient shortens what takes long.
func impatient(change func(*limits)) func(*Config) {
	return func(c *Config) {
		l := defaultLimits()
		l.linger = 100 * time.Millisecond
		change(&l)
		c.limits = &l
	}
}

func TestStreamErrors(t *testing.T) {
	s := serve(t, nil)
	long := strings.Repeat("x", defaultMaxStanzaBytes)
	for _, c := range []struct{ name, in, condition string }{
		{"oversize text", "<message><body>" + long, "policy-violation"},
		{"oversize tag", "<message to='" + long, "policy-violation"},
		{"oversize cdata", "<message><![CDATA[" + long, "policy-violation"},
		{"dtd", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "restricted-xml"},
		{"comment", "<message><!-- x --></message>", "restricted-xml"},
		{"instruction", "<message><?x y?></message>", "restricted-xml"},
		{"entity", "<message>&x;</message>", "restricted-xml"},
		{"tags", "<message></presence>", "not-well-formed"},
		{"text", "hello", "bad-format"},
		{"other stanza", "<r xmlns='urn:xmpp:sm:3'/>", "unsupported-stanza-type"},
		{"prefix", "<message><a:b/></message>", "bad-namespace-prefix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := join(t, s, "alice", "a")
			p.send("%s", c.in)
			p.expectEnd(c.condition)
		})
	}
}

func TestLargestStanza(t *testing.T) {
	s := serve(t, func(c *Config) { c.MaxStanzaBytes = 8192 })
	alice, bob := join(t, s, "alice", "a"), join(t, s, "bob", "b")
	message := func(size int) string {
		const head, tail = "<message to='bob@localhost/b'><body>", "</body></message>"
		return head + strings.Repeat("x", size-len(head)-len(tail)) + tail
	}
	alice.send("%s", message(8192))
	if n := bob.next(); len(n.child("body").Text) < 8000 {
		t.Errorf("got %d bytes", len(n.child("body").Text))
	}
	alice.send("%s", message(8193))
	alice.expectEnd("policy-violation")
}

func TestRefusedStreams(t *testing.T) {
	s := serve(t, nil)
	for _, c := range []struct{ name, in, condition string }{
		{"other host", strings.Replace(header, "'localhost'", "'example.org'", 1), "host-unknown"},
		{"other namespace", strings.Replace(header, "jabber:client", "jabber:server", 1), "invalid-namespace"},
		{"dtd", "<!DOCTYPE x>" + header, "restricted-xml"},
		{"no XMPP", "<html/>", "invalid-namespace"},
		{"too much", header + "<x y='" + strings.Repeat("x", maxNegotiationBytes), "policy-violation"},
		{"stanza before login", header + "<message/>", "policy-violation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tlsPeer(t, s)
			p.send("%s", c.in)
			p.skipHeader()
			n := p.next()
			if n.XMLName.Local == "features" {
				n = p.next()
			}
			if n.condition() != c.condition {
				t.Errorf("got %+v, want %s", n, c.condition)
			}
		})
	}
}

// TestSlowReader lets a client stop reading: who writes to it is held up, then it
// is given up, and everything else goes on.
func TestSlowReader(t *testing.T) {
	s := serve(t, impatient(func(l *limits) { l.stall, l.queueBytes = 300*time.Millisecond, 64<<10 }))
	watcher := join(t, s, "carol", "c")
	watcher.comeOnline()
	lazy := join(t, s, "bob", "lazy")
	lazy.send("<presence/>")
	watcher.expectPresence(lazy.jid, "")
	alice := join(t, s, "alice", "a")
	sent := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		stanza := fmt.Sprintf("<message type='headline' to='%s'><body>%s</body></message>", lazy.jid, strings.Repeat("x", 64<<10))
		for {
			select {
			case <-stop:
				sent <- nil
				return
			default:
			}
			if _, err := io.WriteString(alice.conn, stanza); err != nil {
				sent <- err
				return
			}
		}
	}()
	watcher.expectPresence(lazy.jid, "unavailable")
	close(stop)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	alice.sync()
}

func TestUnauthenticatedAreLimited(t *testing.T) {
	s := serve(t, impatient(func(l *limits) { l.unauthenticated, l.login = 2, 2*time.Second }))
	var idle []*peer
	for range 2 {
		p := rawPeer(t, s)
		p.open()
		idle = append(idle, p)
	}
	refused := rawPeer(t, s)
	if _, err := refused.read(); err == nil {
		t.Fatal("a third connection was accepted")
	}
	for _, p := range idle { // time is up
		if n, err := p.read(); err == nil && n.condition() == "" {
			t.Fatalf("got %+v", n)
		}
		if _, err := p.read(); err == nil {
			t.Fatal("the connection goes on")
		}
	}
	join(t, s, "alice", "a").sync()
}

func TestConnectionsAreLimited(t *testing.T) {
	s := serve(t, impatient(func(l *limits) { l.connections = 1 }))
	first := join(t, s, "alice", "a")
	refused := rawPeer(t, s)
	if _, err := refused.read(); err == nil {
		t.Fatal("a second connection was accepted")
	}
	first.sync()
}

func TestCloseSaysGoodbye(t *testing.T) {
	s := serve(t, impatient(func(*limits) {}))
	alice := join(t, s, "alice", "a")
	alice.sync()
	waiting := rawPeer(t, s)
	waiting.open()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alice.expectEnd("system-shutdown")
	if _, err := waiting.read(); err == nil {
		t.Error("a connection without login goes on")
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

func TestCloseWithoutServe(t *testing.T) {
	s, err := Listen(t.Context(), Config{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("the port is open")
	}
}

func TestBadConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"address":      {Addr: "nowhere:nothing"},
		"domain":       {Domain: "a@b"},
		"account":      {Accounts: map[string]string{"a/b": "x"}},
		"no name":      {Accounts: map[string]string{"": "x"}},
		"no password":  {Accounts: map[string]string{"a": ""}},
		"twice":        {Accounts: map[string]string{"a": "x", "A": "y"}},
		"subscription": {Accounts: map[string]string{"a": "x"}, Subscriptions: [][2]string{{"a", "b"}}},
	} {
		if cfg.Addr == "" {
			cfg.Addr = "127.0.0.1:0"
		}
		s, err := Listen(t.Context(), cfg)
		if err == nil {
			t.Errorf("%s: no error", name)
			_ = s.Close()
		}
	}
}
