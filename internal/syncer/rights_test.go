package syncer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
)

// silence fails the test if a peer hears anything before something else has come about.
func (p *peer) silence(what string, done func() bool) {
	p.t.Helper()
	await(p.t, what, done)
	select {
	case m := <-p.heard:
		p.t.Errorf("%s: told %T %+v", what, m, m)
	default:
	}
}

// idle tells whether nothing is being done with any link, and for how many something waits.
func (w *world) idle() (waiting int, idle bool) {
	return w.syncer.Waiting()
}

// What waits for a peer that was offline isn't said to one that may not read any more, or isn't known.
func TestNothingForTheRevoked(t *testing.T) {
	for name, revoke := range map[string]func(p *peer) error{
		"no access": func(p *peer) error { return p.store.SetAccess(p.t.Context(), p.key, []string{p.uuid}, peers.None) },
		"removed":   func(p *peer) error { return p.store.Remove(p.t.Context(), p.key) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			alice := w.peer("alice", 1, nothing).grant(peers.Read)
			alice.endpoint.Close()
			w.start()
			alice.announce(uuid1)
			w.commit("secret")
			await(t, "it waits", func() bool { n, idle := w.idle(); return idle && n == 1 })
			must(t, revoke(alice))
			back := w.peerAgain(alice, nothing)
			w.syncer.Presence(back.endpoint.JID(), true)
			back.silence("nothing waits any more", func() bool { n, idle := w.idle(); return idle && n == 0 })
		})
	}
}

// Who is behind a remote, and isn't to have anything by the user's word, isn't told anything either.
func TestNothingForTheDenied(t *testing.T) {
	w := newWorld(t)
	alice := w.peer("alice", 1, nothing).remote("origin").grant(peers.None)
	w.start()
	outcomes, err := w.syncer.Sync(t.Context(), w.uuid, nil)
	if err != nil || len(outcomes) != 1 || !strings.Contains(outcomes[0].Error, "may not read") {
		t.Errorf("%+v, %v", outcomes, err)
	}
	alice.silence("nothing waits", func() bool { n, idle := w.idle(); return idle && n == 0 })
}

// A push that waits for its turn isn't carried out when the peer may not read any more.
func TestNoPushToTheRevoked(t *testing.T) {
	w := newWorld(t)
	alice := w.peer("alice", 1, nothing).grant(peers.Read)
	begin, runs := make(chan struct{}), filepath.Join(filepath.Dir(w.dir), "runs")
	t.Setenv("HELPER_RUNS", runs)
	w.turn = w.waitTurn(begin)
	w.start()
	alice.announce(uuid1)
	w.syncer.Requested(w.uuid, alice.key, uuid1, []string{"refs/heads/main"})
	get(t, "push", w.pushes)
	must(t, w.store.SetAccess(t.Context(), alice.key, []string{w.uuid}, peers.None))
	close(begin)
	await(t, "nothing waits any more", func() bool { n, idle := w.idle(); return idle && n == 0 })
	if _, err := os.Stat(runs); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("git push was run for a peer that may not read: %v", err)
	}
}

// A repository with xmpp.sync=false again is left alone: what was waiting isn't done, nobody may push, and true again has everybody asked.
func TestSwitch(t *testing.T) {
	w := newWorld(t)
	alice := w.peer("alice", 1, nothing).remote("origin")
	w.start()
	alice.hears("question", isAsk)
	await(t, "it is told", func() bool { n, idle := w.idle(); return idle && n == 0 })
	if !w.syncer.Trusts(alice.key, w.uuid) {
		t.Error("the peer behind the remote isn't trusted")
	}
	alice.endpoint.Close()
	w.commit("more")
	await(t, "it waits", func() bool { n, idle := w.idle(); return idle && n == 1 })
	w.git("-C", w.dir, "config", "xmpp.sync", "false")
	await(t, "nobody is trusted", func() bool { return !w.syncer.Trusts(alice.key, w.uuid) })
	back := w.peerAgain(alice, nothing)
	w.syncer.Presence(back.endpoint.JID(), true)
	back.silence("nothing waits any more", func() bool { n, idle := w.idle(); return idle && n == 0 })
	w.git("-C", w.dir, "config", "xmpp.sync", "true")
	back.hears("question", isAsk)
}

// Who is behind a remote may push there, unless the user said otherwise, and nobody else may.
func TestTrusts(t *testing.T) {
	w := newWorld(t)
	alice := w.peer("alice", 1, nothing).remote("origin")
	carol := w.peer("carol", 2, nothing).pin()                    // behind no remote
	guest := w.peer("alice", 3, nothing).grant(peers.Read)        // at a remote's address, but not pinned to it
	denied := w.peer("alice", 4, nothing).pin().grant(peers.None) // pinned, but the user said no
	w.start()
	for name, c := range map[string]struct {
		peer *peer
		want bool
	}{"behind the remote": {alice, true}, "behind no remote": {carol, false}, "a guest": {guest, false}, "denied": {denied, false}} {
		if got := w.syncer.Trusts(c.peer.key, w.uuid); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if w.syncer.Trusts(alice.key, uuid2) {
		t.Error("trusted with another repository")
	}
	for _, p := range []*peer{alice, carol, guest, denied} {
		p.announce(uuid2[:35] + "9") // announcing changes nothing
		if got := w.syncer.Trusts(p.key, w.uuid); got != (p == alice) {
			t.Errorf("after an announcement: %v", got)
		}
	}
}

// What waits from a peer that may not push any more is left alone; from one that may it is brought in.
func TestWaitingOfTheRevoked(t *testing.T) {
	for access, want := range map[peers.Access]bool{peers.None: false, peers.Read: false, peers.Write: true} {
		t.Run(access.String(), func(t *testing.T) {
			w := newWorld(t)
			alice := w.peer("alice", 1, nothing).grant(access)
			must(t, w.store.ClaimUUID(t.Context(), alice.key, uuid1, peers.Write))
			main := w.git("-C", w.dir, "rev-parse", "main")
			w.git("-C", w.dir, "update-ref", "refs/heads/main", w.git("-C", w.dir, "commit-tree", "-m", "ahead", "-p", main, main+"^{tree}"))
			ahead := w.git("-C", w.dir, "rev-parse", "main")
			w.git("-C", w.dir, "update-ref", "refs/synced/"+uuid1+"/main", ahead)
			w.git("-C", w.dir, "update-ref", "refs/heads/main", main)
			w.git("-C", w.dir, "checkout", "--quiet", "--detach") // nothing is in the way
			w.start()
			at := func() string { return w.git("-C", w.dir, "rev-parse", "main") }
			if want {
				await(t, "it is brought in", func() bool { return at() == ahead })
				return
			}
			await(t, "it has been looked at", func() bool { _, idle := w.idle(); return idle })
			if got := at(); got != main {
				t.Errorf("main at %s, want %s", got, main)
			}
		})
	}
}

// What an announced clone offers is wanted only if its key may push.
func TestReaderOffers(t *testing.T) {
	for access, want := range map[peers.Access]protocol.Type{peers.Read: protocol.TypeNothingNeeded, peers.Write: protocol.TypePushRequest} {
		t.Run(access.String(), func(t *testing.T) {
			w := newWorld(t)
			alice := w.peer("alice", 1, has("refs/heads/evil")).grant(access)
			w.start()
			alice.announce(uuid1)
			go func() { _, _ = w.syncer.Sync(t.Context(), w.uuid, nil) }()
			alice.hears("question", isAsk)
			if m := get(t, "answer", alice.heard); m.Type() != want {
				t.Errorf("%+v", m)
			}
		})
	}
}
