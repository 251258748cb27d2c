package client_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// talks starts bob as a peer of a minor version that answers every announcement with what answer says; nil is silence.
func (w *world) talks(minor uint32, answer func(*protocol.Announce) protocol.Message) *host {
	w.t.Helper()
	return w.hosts([8]byte{1}, func(ctx context.Context, conn *transport.Conn, _ *sync.WaitGroup) {
		control, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		_ = control.SetDeadline(time.Now().Add(deadline))
		_ = protocol.Write(control, &protocol.Hello{Major: protocol.Major, Minor: minor}) // alice may have gone
		for r := protocol.NewReader(control); ; {
			m, err := r.Next()
			if err != nil {
				return
			}
			if announce, ok := m.(*protocol.Announce); ok {
				if a := answer(announce); a != nil {
					_ = protocol.Write(control, a)
				}
			}
		}
	})
}

func announced(a *protocol.Announce) protocol.Message {
	return &protocol.Announced{From: uuid2, To: a.From}
}

func announce(ctx context.Context, p *client.Pool, h *host) (protocol.Message, error) {
	var answer protocol.Message
	err := p.Converse(ctx, bobsAddress, h.key, func(c *client.Conversation) (err error) {
		answer, err = c.Ask(&protocol.Announce{From: uuid1})
		return err
	})
	return answer, err
}

// One conversation after the other goes over one connection, also when they are begun at once.
func TestConverse(t *testing.T) {
	w := newWorld(t)
	bob := w.talks(protocol.Minor, announced)
	p := w.pool(w.alice, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	var tasks sync.WaitGroup
	for range 2 {
		tasks.Go(func() {
			answer, err := announce(ctx, p, bob)
			if a, ok := answer.(*protocol.Announced); err != nil || !ok || a.To != uuid1 {
				t.Errorf("%+v, %v", answer, err)
			}
		})
	}
	tasks.Wait()
	if n := len(bob.conns); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A connection that the peer has ended meanwhile is no failure: another is made.
func TestConverseOnDeadConnection(t *testing.T) {
	w := newWorld(t)
	bob := w.talks(protocol.Minor, announced)
	p := w.pool(w.alice, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	for range 2 {
		if _, err := announce(ctx, p, bob); err != nil {
			t.Fatal(err)
		}
		(<-bob.conns).Close(0)
	}
}

// A conversation that is broken off spoils the connection, whose next answer might be another's.
func TestConverseBrokenOff(t *testing.T) {
	w := newWorld(t)
	silent := true
	bob := w.talks(protocol.Minor, func(a *protocol.Announce) protocol.Message {
		if silent {
			silent = false
			return nil
		}
		return announced(a)
	})
	p := w.pool(w.alice, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := announce(ctx, p, bob); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if _, err := announce(ctx, p, bob); err != nil {
		t.Fatal(err)
	}
	if n := len(bob.conns); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestConverseWithOldPeer(t *testing.T) {
	w := newWorld(t)
	bob := w.talks(0, announced)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if _, err := announce(ctx, w.pool(w.alice, time.Minute), bob); !errors.Is(err, client.ErrOld) {
		t.Error(err)
	}
}
