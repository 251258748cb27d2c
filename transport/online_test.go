package transport_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A valve stands between a client and its server; once shut it lets nothing through, and closes nothing.
type valve struct {
	net.Listener
	mu sync.RWMutex
}

func newValve(t *testing.T, to string) *valve {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{Listener: l}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		tasks.Go(func() { v.copy(server, client) })
		v.copy(client, server)
	})
	t.Cleanup(func() {
		_ = l.Close()
		tasks.Wait()
	})
	return v
}

func (v *valve) copy(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		v.mu.RLock()
		_, writeErr := to.Write(buf[:n])
		v.mu.RUnlock()
		if err != nil || writeErr != nil {
			return
		}
	}
}

// A server that can't be heard is known to be away before the connection to it counts as lost.
func TestOnline(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	v := newValve(t, s.Addr)
	cfg := configFor(t, s, "alice", "git-a")
	cfg.Server = v.Addr().String()
	alice := start(t, cfg)
	online := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		return alice.Online(ctx)
	}
	if !online() {
		t.Error("not online after the login")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for end := time.Now().Add(deadline); online(); {
		if time.Now().After(end) {
			t.Fatal("online though nothing gets through")
		}
	}
}

// A peer that has gone offline is known to be away while its connection still waits for it.
func TestAway(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newProxy(t, s.Addr)
		a, b := configFor(t, s, "alice", "git-a"), configFor(t, s, "bob", "git-b")
		b.Serve, b.Admit, b.Server = true, a.Account.Equal, p.Addr().String()
		alice, bob := start(t, a), start(t, b)
		from, to := connect(t, alice, bob, public(b))
		transfer(t, from, to, random(100))
		if from.Away() {
			t.Error("away though it is there")
		}
		_ = p.Close()
		p.cut()
		for end := time.Now().Add(deadline); !from.Away(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("not known to be away")
			}
		}
		if err := from.Context().Err(); err != nil {
			t.Errorf("the connection has ended: %v", err)
		}
	})
}
