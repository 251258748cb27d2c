package transport_test

import (
	"bytes"
	"net"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// loginTurns is how often a login waits for the server and goes on: for STARTTLS, TLS, the mechanisms, SCRAM twice. The last answer is the resource's.
const loginTurns = 5

// A login waits for the server no more often than it must: every time is a round trip.
func TestLoginTurns(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newProxy(t, s.Addr)
		cfg := configFor(t, s, "alice", "git-a")
		cfg.Server = p.Addr().String()
		start(t, cfg)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.turns != loginTurns && p.turns != loginTurns+1 { // with one more if the server says something of TLS's between two writes of ours
			t.Errorf("%d turns, want %d", p.turns, loginTurns)
		}
	})
}

// A strict server takes nothing before it has said what it offers.
type strict struct{ net.Listener }

func (l strict) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		if !bytes.Contains(buf[:n], []byte("<starttls")) {
			return &unread{conn, buf[:n]}, nil
		}
		_ = conn.Close()
	}
}

// unread is a connection of which something has been read already.
type unread struct {
	net.Conn
	first []byte
}

func (c *unread) Read(p []byte) (int, error) {
	if n := copy(p, c.first); n > 0 {
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// A server that takes nothing before it has said what it offers is logged in to nevertheless.
func TestLoginToStrictServer(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := forward(t, strict{l}, s.Addr)
	cfg := configFor(t, s, "alice", "git-a")
	cfg.Server = p.Addr().String()
	start(t, cfg)
}
