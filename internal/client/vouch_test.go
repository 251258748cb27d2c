package client_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
)

// A connection takes new streams for a time: then what both sides say of others is said anew.
func TestPoolRenewsConnections(t *testing.T) {
	w := newWorld(t)
	bob := w.echoes([8]byte{1})
	p := w.pool(w.alice, time.Minute)
	first := w.open(p, bob)
	p.RenewAfter(0)
	w.open(p, bob).Close()
	if n := len(bob.conns); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	if _, err := first.Write([]byte("pong")); err != nil { // what runs on the old one goes on
		t.Error(err)
	}
}

func desktop() protocol.Vouch {
	key := peers.Key{7}
	return protocol.Vouch{Key: key[:], Resource: peers.ResourceName([8]byte{7}), Label: "desktop"}
}

// What the peer says of others counts, also with an invite, whose peer is pinned only then.
func TestPeerVouches(t *testing.T) {
	for name, invited := range map[string]bool{"known": false, "invited": true} {
		w := newWorld(t)
		key, _ := w.bob([8]byte{3}, &protocol.Hello{Major: protocol.Major, Vouches: []protocol.Vouch{desktop()}})
		invite := ""
		if invited {
			invite = peers.Token{Key: key, Resource: [8]byte{3}}.String()
		} else {
			w.pin(key, [8]byte{3})
		}
		s, err := w.connect(invite)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		w.until(ctx, func() bool {
			pinned, err := w.store.Pinned("bob@localhost")
			return err == nil && len(pinned) == 2 && pinned[1].Key == peers.Key{7} && pinned[1].Label == "desktop"
		})
		s.Close()
		if p, err := w.store.ByKey(peers.Key{7}); err != nil || !slices.Equal(p.VouchedBy, []peers.Key{key}) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// A hello that isn't as it should be, or isn't followed by what it announces, changes nothing.
func TestPeerVouchesBadly(t *testing.T) {
	for name, answer := range map[string][]protocol.Message{
		"other frame": {&protocol.Hello{Major: protocol.Major, Vouches: []protocol.Vouch{desktop()}, Shares: 1}, &protocol.Queued{}},
		"no machine of ours": {&protocol.Hello{Major: protocol.Major, Shares: 1}, &protocol.Share{Entries: []protocol.Shared{{
			Repository: "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0001", Key: desktop().Key, Address: "carol@localhost", Access: protocol.MayWrite,
		}}}},
		"other version": {&protocol.Hello{Major: 2, Vouches: []protocol.Vouch{desktop()}}},
	} {
		w := newWorld(t)
		key, _ := w.bob([8]byte{3}, answer...)
		w.pin(key, [8]byte{3})
		before, err := w.store.List()
		if err != nil {
			t.Fatal(err)
		}
		s, err := w.connect("")
		if err != nil {
			t.Fatal(err)
		}
		s.AwaitHello()
		s.Close()
		if after, err := w.store.List(); err != nil || !reflect.DeepEqual(after, before) {
			t.Errorf("%s: %+v, %v; want %+v", name, after, err, before)
		}
	}
}

// until polls for what nothing tells of.
func (w *world) until(ctx context.Context, happened func() bool) {
	w.t.Helper()
	for ticker := time.NewTicker(5 * time.Millisecond); !happened(); {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			w.t.Fatal("waited in vain")
		}
	}
}
