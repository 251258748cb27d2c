package transport_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
)

// A peer that dies and is started anew is known by the new one's word, whoever dialed, and though nothing is on its way: nobody waits for the old one.
func TestPeerIsStartedAnew(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		for _, which := range []string{"client", "server"} {
			t.Run(which, func(t *testing.T) {
				t.Parallel() // it waits most of the time
				p := newProxy(t, s.Addr)
				a, b := configFor(t, s, "alice", "git-a-"+which), configFor(t, s, "bob", "git-b-"+which)
				a.Serve, a.Admit = true, b.Account.Equal
				b.Serve, b.Admit = true, a.Account.Equal
				a.LostPeerGrace, b.LostPeerGrace = time.Hour, time.Hour
				a.Timeout, b.Timeout = time.Hour, time.Hour
				victim := &a
				if which == "server" {
					victim = &b
				}
				again := *victim
				victim.Server = p.Addr().String()
				alice, bob := start(t, a), start(t, b)
				from, to := connect(t, alice, bob, public(b))
				transfer(t, from, to, random(100))
				time.Sleep(300 * time.Millisecond) // until everything has been acknowledged
				left := to
				if which == "server" {
					left = from
				}
				_ = p.Close() // it can't come back
				p.cut()
				for end := time.Now().Add(deadline); !left.Away(); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("not known to be away")
					}
				}
				if err := left.Context().Err(); err != nil {
					t.Fatalf("given up at once: %v", err)
				}
				start(t, again)
				select {
				case <-left.Context().Done():
				case <-time.After(deadline):
					t.Fatal("the other side doesn't know")
				}
				err := left.Explain(context.Cause(left.Context()))
				if !errors.Is(err, transport.ErrLost) || !strings.HasSuffix(err.Error(), "was started anew") {
					t.Errorf("it says %v", err)
				}
			})
		}
	})
}
