package client_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

var bobsAddress = jid.MustParse("bob@localhost")

// A host is a peer that greets whoever connects and echoes what comes on streams.
type host struct {
	key   peers.Key
	conns chan *transport.Conn // those that it has accepted
}

// echoes starts bob as such a peer, whom alice knows.
func (w *world) echoes(id [8]byte) *host { return w.hosts(id, echo) }

// hosts starts bob as a peer that alice knows, and that serves each connection so, until it is told to end.
func (w *world) hosts(id [8]byte, serve func(ctx context.Context, conn *transport.Conn, tasks *sync.WaitGroup)) *host {
	w.t.Helper()
	private := newKey(w.t)
	e := w.start("bob", peers.ResourceName(id), private, true)
	h := &host{conns: make(chan *transport.Conn, 100)}
	h.key, _ = peers.KeyOf(private.Public().(ed25519.PublicKey))
	w.pin(h.key, id)
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := e.Accept(ctx)
			if err != nil {
				return
			}
			h.conns <- conn
			tasks.Go(func() { serve(ctx, conn, &tasks) })
		}
	})
	w.t.Cleanup(func() {
		cancel()
		e.Close() // ends what is read
		tasks.Wait()
	})
	return h
}

// echo answers the hello on the first stream, and what it says on every other.
func echo(ctx context.Context, conn *transport.Conn, tasks *sync.WaitGroup) {
	control, err := conn.AcceptStream(ctx)
	if err != nil {
		return
	}
	_ = protocol.Write(control, &protocol.Hello{Major: protocol.Major, Software: "test"}) // alice may have gone
	for {
		stream, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		_ = stream.SetDeadline(time.Now().Add(deadline))
		tasks.Go(func() {
			_, _ = io.Copy(stream, stream)
			_ = stream.Close()
		})
	}
}

func (w *world) pool(dialer client.Dialer, keepFor time.Duration) *client.Pool {
	p := client.NewImpatientPool(client.Options{Dialer: dialer, Store: w.store, Account: jid.MustParse("alice@localhost"), Software: "test"}, keepFor)
	w.t.Cleanup(p.Close)
	return p
}

// open opens a stream and has it echo.
func (w *world) open(p *client.Pool, h *host) *client.PooledStream {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	s, err := p.Open(ctx, bobsAddress, h.key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	if _, err := s.Write([]byte("ping")); err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, 4)); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestPoolUsesConnectionsAgain(t *testing.T) {
	w := newWorld(t)
	bob := w.echoes([8]byte{1})
	p := w.pool(w.alice, time.Minute)
	for range 3 {
		w.open(p, bob).Close()
	}
	began := time.Now()
	first, second := w.open(p, bob), w.open(p, bob)
	if n := len(bob.conns); n != 1 {
		t.Errorf("%d connections for one stream after the other, and two at once; want 1", n)
	}
	if list := p.Connections(); len(list) != 1 || list[0].Key != bob.key || !list[0].Peer.Equal(first.Peer()) || list[0].Streams != 2 || list[0].Since.After(began) {
		t.Errorf("connections: %+v", list)
	}
	third := w.open(p, bob)
	if n := len(bob.conns); n != 2 {
		t.Errorf("%d connections for three streams, want 2", n)
	}
	for _, s := range []*client.PooledStream{first, second, third} {
		s.Close()
	}
	w.open(p, bob)
	if n := len(bob.conns); n != 2 {
		t.Errorf("%d connections, want no new one", n)
	}
}

// Many at once, with nothing there yet: no more connections than needed.
func TestPoolManyAtOnce(t *testing.T) {
	w := newWorld(t)
	bob := w.echoes([8]byte{1})
	p := w.pool(w.alice, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			s, err := p.Open(ctx, bobsAddress, bob.key)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(s.Close)
			_, err = s.Write([]byte("ping"))
			if _, readErr := io.ReadFull(s, make([]byte, 4)); err != nil || readErr != nil {
				t.Error(err, readErr)
			}
		})
	}
	all.Wait()
	if n := len(bob.conns); n != 5 {
		t.Errorf("%d connections for 10 streams, want 5", n)
	}
}

// A connection that the peer has closed, that was unused for too long, or whose key isn't trusted any more isn't used again.
func TestPoolReplacesConnections(t *testing.T) {
	for name, end := range map[string]func(w *world, h *host){
		"closed by the peer": func(_ *world, h *host) {
			conn := <-h.conns
			conn.Close(0)
			h.conns <- conn
		},
		"unused": func(w *world, h *host) {
			conn := <-h.conns
			select {
			case <-conn.Context().Done():
			case <-time.After(deadline):
				w.t.Error("the connection is still there")
			}
			h.conns <- conn
		},
		"another key": func(w *world, h *host) {
			if err := w.store.Remove(w.t.Context(), h.key); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			bob := w.echoes([8]byte{1})
			keepFor := time.Minute
			if name == "unused" {
				keepFor = 10 * time.Millisecond
			}
			p := w.pool(w.alice, keepFor)
			w.open(p, bob).Close()
			end(w, bob)
			if name == "another key" {
				if _, err := p.Open(t.Context(), bobsAddress, bob.key); !errors.Is(err, client.ErrNoKey) {
					t.Errorf("open: %v", err)
				}
				return
			}
			w.open(p, bob)
			if n := len(bob.conns); n != 2 {
				t.Errorf("%d connections, want a second", n)
			}
		})
	}
}

// A stuckDialer never connects, and counts its attempts.
type stuckDialer struct{ dialing, gone chan struct{} }

func (d *stuckDialer) Dial(ctx context.Context, _ jid.JID, _ ed25519.PublicKey, _ []byte) (*transport.Conn, error) {
	d.dialing <- struct{}{}
	<-ctx.Done()
	d.gone <- struct{}{}
	return nil, ctx.Err()
}

// A pool has a limit, and gives up a connection that nobody waits for any more.
func TestPoolIsBounded(t *testing.T) {
	w := newWorld(t)
	w.pin(peers.Key{1}, [8]byte{1})
	d := &stuckDialer{dialing: make(chan struct{}, 100), gone: make(chan struct{}, 100)}
	p := w.pool(d, time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 200)
	for range 200 {
		go func() {
			_, err := p.Open(ctx, bobsAddress, peers.Key{1})
			failed <- err
		}()
	}
	for range 200 - 128 {
		if err := <-failed; !errors.Is(err, client.ErrBusy) {
			t.Errorf("open: %v", err)
		}
	}
	for range 64 {
		<-d.dialing
	}
	cancel()
	for range 128 {
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("open: %v", err)
		}
	}
	for range 64 {
		<-d.gone
	}
	if len(d.dialing) > 0 {
		t.Error("more connections than 64 were tried")
	}
}
