package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// outOfSync tells whether a machine's serve says so of a remote.
func (r *replica) outOfSync(t *testing.T, remote string) bool {
	t.Helper()
	for _, repo := range r.syncStatus().Sync {
		for _, m := range repo.Remotes {
			if m.Name == remote {
				return m.OutOfSync
			}
		}
	}
	t.Fatalf("%s: status doesn't know %s", r.name, remote)
	return false
}

func (r *replica) stop() { r.daemon.stop(); r.daemon = nil }

func (r *replica) start() { r.daemon = r.serve(r.proj) }

// settled waits until a remote is in sync.
func (r *replica) settled(t *testing.T, remote string) {
	t.Helper()
	await(t, remote+" in sync", func() bool { return !r.outOfSync(t, remote) })
}

// hookLines has the hook post-xmpp-sync write down its runs, and returns what it has written.
func (r *replica) hookLines(t *testing.T) func() []string {
	t.Helper()
	file := filepath.Join(r.dir, "post-xmpp-sync.txt")
	hook(t, r.proj, "post-xmpp-sync", "#!/bin/sh\necho \"$1\" >>"+file+"\n")
	return func() []string {
		text, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Fields(string(text))
	}
}

// After a start a remote is out of sync until one of its clients has said what it has, or pushed it. The hook runs once if histories had diverged,
// and not otherwise.
func TestSyncOutOfSync(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	alice := newReplica(t, s, "Alice", "alice", bob)
	ran := alice.hookLines(t)
	alice.settled(t, "origin")

	t.Log("nobody is there")
	alice.stop()
	bob.stop()
	alice.start()
	if !alice.outOfSync(t, "origin") || !strings.Contains(alice.xmpp(alice.dir, "status"), "out of sync") {
		t.Errorf("after a start: %s", alice.xmpp(alice.dir, "status"))
	}
	bob.start()
	alice.settled(t, "origin")

	t.Log("only the other side has something new")
	alice.stop()
	id := bob.commit(bob.proj, "bob-1")
	alice.start()
	alice.at(t, "main", id)
	alice.settled(t, "origin")

	for round, who := range map[string]*replica{"alice-starts": alice, "bob-starts": bob} {
		t.Log(round, "and both have something new")
		before := len(ran())
		alice.stop()
		bob.stop()
		bob.commit(bob.proj, "bob-"+round)
		alice.commit(alice.proj, "alice-"+round)
		if who == bob {
			alice.start()
			bob.start()
		} else {
			bob.start()
			alice.start()
		}
		await(t, "the hook", func() bool { return len(ran()) > before })
		alice.settled(t, "origin")
		await(t, "what is unmerged", func() bool { return len(alice.unmerged()) == 1 && len(bob.unmerged()) == 1 })
		alice.git(alice.proj, "merge", "--quiet", "--no-edit", alice.unmerged()[0])
		bob.at(t, "main", alice.git(alice.proj, "rev-parse", "main"))
		if got := ran(); len(got) != before+1 || got[before] != "origin" {
			t.Errorf("%s: the hook ran for %v", round, got[before:])
		}
	}

	t.Log("a client of the same remote pushes")
	other := newReplica(t, s, "Bob's other", "bob", bob)
	alice.git(alice.proj, "fetch", "--quiet", other.xmpp(other.proj, "invite", "--label", "Alice"))
	other.at(t, "main", alice.git(alice.proj, "rev-parse", "main"))
	before := len(ran())
	alice.stop()
	bob.stop()
	other.stop()
	id = other.commit(other.proj, "other")
	alice.start()
	if !alice.outOfSync(t, "origin") {
		t.Error("nobody is there, and it is in sync")
	}
	other.start()
	alice.at(t, "main", id)
	alice.settled(t, "origin")
	if got := ran(); len(got) != before {
		t.Errorf("the hook ran for %v", got[before:])
	}
}

// What a peer that is offline is to be told outlives a serve of ours, and it is told the newest only.
func TestSyncOffline(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	alice := newReplica(t, s, "Alice", "alice", bob)
	alice.settled(t, "origin")
	id := alice.commit(alice.proj, "together")
	bob.at(t, "main", id)
	bob.stop()
	for _, name := range []string{"one", "two", "three"} {
		id = alice.commit(alice.proj, name)
	}
	await(t, "an offer that waits", func() bool { return alice.waits(t, "offer") })
	alice.stop()
	alice.start()
	if !alice.waits(t, "offer") {
		t.Errorf("after a new start nothing waits: %s", alice.xmpp(alice.dir, "status", "--json"))
	}
	bob.start()
	bob.at(t, "main", id)
	bob.settled(t, alice.account)
	alice.settled(t, "origin")
	d := bob.daemon
	bob.stop()
	if n := strings.Count(d.stderr.String(), "service=receive-pack"); n != 1 {
		t.Errorf("bob got %d pushes:\n%s", n, d.stderr)
	}
}

// waits tells whether something waits for a machine's first peer.
func (r *replica) waits(t *testing.T, what string) bool {
	t.Helper()
	for _, repo := range r.syncStatus().Sync {
		for _, m := range repo.Remotes {
			for _, p := range m.Peers {
				for _, w := range p.Waiting {
					if w == what {
						return true
					}
				}
			}
		}
	}
	return false
}

// What a sync by hand asked for while nobody was there is done when somebody comes, also after a new start.
func TestSyncByHandOffline(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	alice := &replica{home: newHome(t, s, "Alice", "alice")}
	alice.proj = filepath.Join(alice.dir, "proj")
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(bob.proj, "invite", "--label", "Alice"), alice.proj)
	bob.stop()
	theirs := bob.commit(bob.proj, "bob")
	ours := alice.git(alice.proj, "commit-tree", "-m", "alice", "HEAD^{tree}")
	alice.git(alice.proj, "branch", "topic", ours)
	alice.start()
	fails(t, alice.home, alice.proj, 4, "origin: not in sync with ", "sync")
	alice.stop()
	alice.start()
	bob.start()
	alice.at(t, "main", theirs)
	bob.at(t, "topic", ours)
	alice.settled(t, "origin")
	after := bob.commit(bob.proj, "not asked for")
	await(t, "bob's offer", func() bool { return !bob.waits(t, "offer") && !bob.outOfSync(t, alice.account) })
	alice.xmpp(alice.proj, "sync") // which comes after it
	if got := alice.git(alice.proj, "rev-parse", "main"); got != after {
		t.Errorf("main is at %s, want %s", got, after)
	}
}
