package transport_test

import (
	"context"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// seen is what an endpoint is told of others' presence.
type seen struct {
	from      string
	available bool
}

// watched makes an endpoint's presence be told on a channel.
func watched(cfg *transport.Config) <-chan seen {
	events := make(chan seen, 100)
	cfg.Presence = func(from jid.JID, available bool) { events <- seen{from.String(), available} }
	return events
}

// expect waits for an event and fails if another comes first.
func expect[T comparable](t *testing.T, events <-chan T, want T) {
	t.Helper()
	select {
	case got := <-events:
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	case <-time.After(deadline):
		t.Fatalf("no %+v", want)
	}
}

// Whoever is greeted learns when the other is there and when it goes, and a stranger's greeting means nothing.
func TestGreet(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newProxy(t, s.Addr)
		a, b, c := configFor(t, s, "alice", "git-a"), configFor(t, s, "bob", "git-b"), configFor(t, s, "carol", "git-c")
		linked := make(chan struct{}, 10)
		a.Serve, a.Admit, a.Server = true, b.Account.Equal, p.Addr().String()
		a.Linked = func() { linked <- struct{}{} }
		b.Serve, b.Admit = true, a.Account.Equal
		toAlice, toBob := watched(&a), watched(&b)
		alice, carol := start(t, a), start(t, c)
		expect(t, linked, struct{}{})
		alice.Greet(jid.MustParse("bob@" + s.Domain + "/git-b")) // who isn't there yet
		bob := start(t, b)
		carol.Greet(bob.JID())
		bob.Greet(alice.JID())
		expect(t, toAlice, seen{bob.JID().String(), true})
		alice.Greet(bob.JID())
		expect(t, toBob, seen{alice.JID().String(), true})

		p.cut()
		expect(t, linked, struct{}{})
		alice.Greet(bob.JID())
		expect(t, toBob, seen{alice.JID().String(), false})
		expect(t, toBob, seen{alice.JID().String(), true})
		alice.Close()
		expect(t, toBob, seen{"alice@" + s.Domain + "/git-a", false})
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		if !bob.Online(ctx) {
			t.Error("bob is offline")
		}
		select {
		case event := <-toBob:
			t.Errorf("told of %+v", event)
		default:
		}
	})
}
