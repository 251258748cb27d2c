package transport_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A proxy stands between a client and its server and can cut what goes through.
type proxy struct {
	net.Listener
	to    string
	mu    sync.Mutex
	conns []net.Conn
	tasks sync.WaitGroup

	turns    int  // how often the client has said something after the server had
	answered bool // the server has said something since
}

// A tap has a proxy count turns.
type tap struct {
	net.Conn
	proxy  *proxy
	server bool
}

func (c tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	if !c.server && n > 0 && c.proxy.answered {
		c.proxy.turns++
	}
	if n > 0 {
		c.proxy.answered = c.server
	}
	return n, err
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return forward(t, l, to)
}

// forward makes a proxy of what a listener accepts.
func forward(t *testing.T, l net.Listener, to string) *proxy {
	p := &proxy{Listener: l, to: to}
	p.tasks.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.tasks.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		to := p.to
		p.mu.Unlock()
		server, err := net.Dial("tcp", to)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
			p.tasks.Go(func() {
				_, _ = io.Copy(pair[0], tap{pair[1], p, pair[1] == server})
				_ = pair[0].Close()
			})
		}
	}
}

// lead has what connects from now on come to another server, and what is connected come again.
func (p *proxy) lead(to string) {
	p.mu.Lock()
	p.to = to
	p.mu.Unlock()
	p.cut()
}

// cut resets the connections that are there.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
	p.conns = nil
}

// The connection of either end to its server is cut in the middle of a transfer: the transfer goes on.
func TestTransferSurvivesCuts(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		for _, which := range []string{"sender", "receiver"} {
			t.Run(which, func(t *testing.T) { transferWithCuts(t, s, which == "sender") })
		}
	})
}

func transferWithCuts(t *testing.T, s *testserver.Server, cutSender bool) {
	p := newProxy(t, s.Addr)
	a, b := configFor(t, s, "alice", "git-a"), configFor(t, s, "bob", "git-b")
	b.Serve = true
	b.AdmitKnock = nil
	b.Admit = a.Account.Equal
	if cutSender {
		a.Server = p.Addr().String()
	} else {
		b.Server = p.Addr().String()
	}
	alice, bob := start(t, a), start(t, b)
	from, to := connect(t, alice, bob, public(b))

	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	out, err := from.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	data := random(8 << 20)
	sent := make(chan error, 1)
	go func() {
		_, err := out.Write(data)
		_ = out.Close()
		sent <- err
	}()
	in, err := to.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = in.SetReadDeadline(time.Now().Add(deadline))
	got := make([]byte, len(data))
	for i, next := 0, 0; i < len(got); {
		n, err := in.Read(got[i:])
		if i += n; err != nil && i < len(got) {
			t.Fatalf("after %d bytes: %v", i, to.Explain(err))
		}
		if i >= next {
			p.cut()
			next += len(data) / 3
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if string(got) != string(data) {
		t.Error("other bytes arrived")
	}
}

// A peer that dies without a word is known to be gone when its server says so, not by a timeout of QUIC's.
func TestPeerDies(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		for _, which := range []string{"client", "server"} {
			t.Run(which, func(t *testing.T) {
				p := newProxy(t, s.Addr)
				a, b := configFor(t, s, "alice", "git-a"), configFor(t, s, "bob", "git-b")
				b.Serve, b.Admit = true, a.Account.Equal
				victim := &a
				if which == "server" {
					victim = &b
				}
				victim.Server = p.Addr().String()
				a.LostPeerGrace, b.LostPeerGrace = 100*time.Millisecond, 100*time.Millisecond
				alice, bob := start(t, a), start(t, b)
				from, to := connect(t, alice, bob, public(b))
				transfer(t, from, to, random(100))
				left := to
				if which == "server" {
					left = from
				}
				_ = p.Close() // it can't come back
				p.cut()
				select {
				case <-left.Context().Done():
				case <-time.After(20 * time.Second):
					t.Error("the other side doesn't know")
				}
			})
		}
	})
}
