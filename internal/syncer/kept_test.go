package syncer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/statefile"
	"mellium.im/xmpp/jid"
)

// file is where a syncer keeps what outlives it.
func (w *world) file() string { return filepath.Join(filepath.Dir(w.dir), "keys", "sync.json") }

// restart ends the syncer and starts another.
func (w *world) restart() {
	w.t.Helper()
	w.syncer.Close()
	w.syncer = w.newSyncer()
	w.t.Cleanup(w.syncer.Close)
	must(w.t, w.syncer.Start(w.t.Context(), w.pool, w.bob.Greet))
}

// A clone that announced itself is known after a restart, and what waits for it is said when it comes online.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	alice := w.peer("alice", 1, nothing).grant(peers.Read)
	w.start()
	alice.announce(uuid1)
	alice.endpoint.Close()
	id := w.commit("new")
	await(t, "it waits", func() bool { n, idle := w.idle(); return idle && n == 1 })
	w.restart()
	await(t, "it waits again", func() bool { n, idle := w.idle(); return idle && n == 1 })
	back := w.peerAgain(alice, nothing)
	w.syncer.Presence(back.endpoint.JID(), true)
	back.hears("offer", offers("new", id))
}

// A file that isn't what was written is refused in words, and stays as it is.
func TestDamagedFile(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.syncer.Close()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want error
	}{
		"cut off":   {`{"version":1,"content":{"clones":[`, 0o600, statefile.ErrCorrupt},
		"empty":     {"", 0o600, statefile.ErrCorrupt},
		"no uuid":   {`{"version":1,"content":{"clones":[{"repository":"../x"}]}}`, 0o600, statefile.ErrCorrupt},
		"newer":     {`{"version":9,"content":[]}`, 0o600, statefile.ErrNewer},
		"too open":  {`{"version":1,"content":{}}`, 0o622, statefile.ErrTooOpen},
		"too large": {strings.Repeat(" ", statefile.MaxBytes+1), 0o600, statefile.ErrTooLarge},
	} {
		must(t, os.WriteFile(w.file(), []byte(c.text), 0o600))
		must(t, os.Chmod(w.file(), c.mode))
		s := w.newSyncer()
		if err := s.Start(t.Context(), w.pool, w.bob.Greet); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "sync.json") {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
		if text, err := os.ReadFile(w.file()); err != nil || string(text) != c.text {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

// A file that is damaged, or can't be written, while it is in use ends nothing.
func TestDamagedInUse(t *testing.T) {
	w := newWorld(t)
	alice := w.peer("alice", 1, nothing).remote("origin").grant(peers.Read)
	w.start()
	alice.announce(uuid1)
	alice.hears("question", isAsk)
	must(t, os.WriteFile(w.file(), []byte("{"), 0o600))
	r, err := w.repository(t.Context())
	must(t, err)
	if err := w.syncer.Announced(t.Context(), r, alice.key, uuid2, alice.endpoint.JID().Bare(), alice.resource); !errors.Is(err, statefile.ErrCorrupt) {
		t.Errorf("announced: %v", err)
	}
	alice.hears("offer", offers("new", w.commit("new")))
	must(t, os.Remove(w.file()))
	must(t, os.MkdirAll(filepath.Join(w.file()+".tmp", "in the way"), 0o700)) // as good as a full disk
	if err := w.syncer.Announced(t.Context(), r, alice.key, uuid2, alice.endpoint.JID().Bare(), alice.resource); err == nil {
		t.Error("announced, and not written down")
	}
	alice.hears("offer", offers("newer", w.commit("newer")))
}

// One peer may announce any number of clones: the newest are kept, and others' too.
func TestAnnounceFlood(t *testing.T) {
	w := newWorld(t)
	alice, carol := w.peer("alice", 1, nothing).grant(peers.Read), w.peer("carol", 2, nothing).grant(peers.Read)
	w.start()
	carol.announce(uuid1)
	const flood = 140
	for i := range flood {
		alice.announce(fmt.Sprintf("%s%04d", uuid2[:32], i+100))
	}
	clients := make(map[string]bool)
	for _, m := range w.syncer.Status(t.Context())[0].Remotes {
		for _, p := range m.Peers {
			clients[p.Client] = true
		}
	}
	if last := fmt.Sprintf("%s%04d", uuid2[:32], flood+99); !clients[uuid1] || !clients[last] || len(clients) > 129 {
		t.Errorf("%d clones are known; carol's: %v, the last: %v", len(clients), clients[uuid1], clients[last])
	}
}

// An announcement says whom it is from; what it says beyond that has to make sense.
func TestBadAnnouncements(t *testing.T) {
	w := newWorld(t)
	alice, bare := w.peer("alice", 1, nothing).grant(peers.Read), jid.MustParse("alice@localhost")
	w.start()
	r, err := w.repository(t.Context())
	must(t, err)
	for name, c := range map[string]struct {
		key      peers.Key
		address  jid.JID
		resource string
	}{
		"not a resource of serve": {alice.key, bare, "phone"},
		"no resource":             {alice.key, bare, ""},
		"something else":          {alice.key, bare, "git-../../x"},
		"a stranger":              {peers.Key{1}, bare, alice.resource},
	} {
		if err := w.syncer.Announced(t.Context(), r, c.key, uuid1, c.address, c.resource); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s := w.syncer.Status(t.Context()); len(s[0].Remotes) > 0 {
		t.Errorf("%+v", s)
	}
}
