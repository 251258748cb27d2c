package syncer_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/protocol"
)

// Before Start and after Close whatever is told or asked does no harm.
func TestOutsideOfItsLife(t *testing.T) {
	w := newWorld(t)
	alice := w.peer("alice", 1, nothing).remote("origin").grant(peers.Read)
	all := func() {
		w.syncer.Linked()
		w.syncer.Presence(alice.endpoint.JID(), true)
		w.syncer.Offered(t.Context(), w.uuid, alice.key, uuid1, nil)
		w.syncer.Requested(w.uuid, alice.key, uuid1, []string{"refs/heads/main"})
		w.syncer.Receiving(w.uuid, alice.key, uuid1, true)
		w.syncer.Received(w.uuid, alice.key, uuid1)
		w.syncer.Status(t.Context())
		if outcomes, err := w.syncer.Sync(t.Context(), w.uuid, nil); err == nil {
			t.Errorf("Sync: %+v", outcomes)
		}
		if w.syncer.Trusts(peers.Key{}, w.uuid) {
			t.Error("a stranger is trusted")
		}
	}
	within(t, deadline, "before", all)
	w.start()
	within(t, deadline, "Close", w.syncer.Close)
	within(t, deadline, "after", all)
	w.syncer.Presence(alice.endpoint.JID(), false)
	within(t, deadline, "Close again", w.syncer.Close)
}

func TestCloseWithoutStart(t *testing.T) {
	within(t, deadline, "Close", newWorld(t).syncer.Close)
}

// Close ends conversations that get no answer, connections that get no hello, and pushes that hang, and leaves nothing behind.
func TestCloseInTheMiddle(t *testing.T) {
	w := newWorld(t)
	silent := w.peer("alice", 1, func(protocol.Message) []protocol.Message { return nil }).remote("silent")
	w.peer("alice", 2, nil).remote("mute")
	carol := w.peer("carol", 3, nothing).remote("hangs").grant(peers.Read)
	runs := filepath.Join(filepath.Dir(w.dir), "runs")
	t.Setenv("HELPER_RUNS", runs)
	begun := make(chan struct{})
	close(begun)
	w.turn = w.waitTurn(begun)
	w.start()
	carol.hears("question", isAsk)
	await(t, "it has been talked to", func() bool {
		w.syncer.Requested(w.uuid, carol.key, uuid1, []string{"refs/heads/main"})
		_, err := os.Stat(runs)
		return err == nil
	})
	silent.hears("announcement", func(m protocol.Message) bool { return m.Type() == protocol.TypeAnnounce })
	within(t, 6*time.Second, "Close", w.syncer.Close)
	if names := w.processes(); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// processes are the children of this process that work on the repository, where the system shows them.
func (w *world) processes() (found []string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range lines {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), w.dir) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

// A push that was promised and doesn't come ends the wait in time, also if whoever asked has gone meanwhile.
func TestPromiseNotKept(t *testing.T) {
	w := newWorld(t)
	w.timeout = 500 * time.Millisecond
	w.syncer = w.newSyncer()
	alice := w.peer("alice", 1, has("refs/heads/theirs")).remote("origin")
	w.start()
	within(t, deadline, "Sync", func() {
		outcomes, err := w.syncer.Sync(t.Context(), w.uuid, []string{"origin"})
		if err != nil || len(outcomes) != 1 || !outcomes[0].Timeout || outcomes[0].Remote != "origin" {
			t.Errorf("%+v, %v", outcomes, err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.syncer.Sync(ctx, w.uuid, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if _, err := w.syncer.Sync(t.Context(), uuid2, nil); !errors.Is(err, syncer.ErrNotServed) {
		t.Errorf("another repository: %v", err)
	}
	if _, err := w.syncer.Sync(t.Context(), w.uuid, []string{"nowhere"}); err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("no such remote: %v", err)
	}
	alice.endpoint.Close()
	within(t, deadline, "Sync with nobody", func() {
		outcomes, err := w.syncer.Sync(t.Context(), w.uuid, nil)
		if err != nil || len(outcomes) != 1 || !outcomes[0].Offline {
			t.Errorf("%+v, %v", outcomes, err)
		}
	})
}

// A push that was promised settles the wait; if histories had diverged the hook runs, once, whoever pushes after that.
func TestSettledOnce(t *testing.T) {
	w := newWorld(t)
	log := filepath.Join(filepath.Dir(w.dir), "log")
	hook := filepath.Join(w.dir, ".git", "hooks", "post-xmpp-sync")
	must(t, os.MkdirAll(filepath.Dir(hook), 0o700))
	must(t, os.WriteFile(hook, []byte("#!/bin/sh\necho \"$1\" >> '"+log+"'\n"), 0o700)) //nolint:gosec // a hook has to be executable
	their := w.commit("theirs")                                                         // as the push will bring it
	w.git("-C", w.dir, "update-ref", "-d", "refs/heads/theirs")
	alice := w.peer("alice", 1, hasAt("refs/heads/main", their)).remote("origin")
	w.start()
	alice.hears("request", func(m protocol.Message) bool { r, ok := m.(*protocol.PushRequest); return ok && len(r.Refs) > 0 })
	await(t, "it is out of sync", func() bool {
		_, idle := w.syncer.Waiting()
		s := w.syncer.Status(t.Context())
		return idle && len(s) == 1 && s[0].Remotes[0].OutOfSync
	})
	for range 5 {
		w.syncer.Received(w.uuid, alice.key, uuid1)
	}
	await(t, "the hook has run", func() bool { _, err := os.Stat(log); return err == nil })
	w.syncer.Close()
	if text, err := os.ReadFile(log); err != nil || string(text) != "origin\n" {
		t.Errorf("%q, %v", text, err)
	}
	if s := w.syncer.Status(t.Context()); s[0].Remotes[0].OutOfSync {
		t.Errorf("%+v", s)
	}
	if _, err := os.Stat(hook); errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
