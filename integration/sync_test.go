package integration

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A replica is a repository of somebody's that is kept in step with others.
type replica struct {
	*home
	proj   string
	daemon *daemon
}

// newOrigin makes the first repository.
func newOrigin(t testing.TB, s *testserver.Server, label, user string) *replica {
	t.Helper()
	r := &replica{home: newHome(t, s, label, user)}
	r.proj = r.newRepo("proj")
	r.git(r.proj, "config", "xmpp.sync", "true")
	r.daemon = r.serve(r.proj)
	return r
}

// newReplica makes one more, by an invite from another.
func newReplica(t testing.TB, s *testserver.Server, label, user string, from *replica) *replica {
	t.Helper()
	r := &replica{home: newHome(t, s, label, user)}
	r.proj = filepath.Join(r.dir, "proj")
	r.git(r.dir, "clone", "--quiet", from.xmpp(from.proj, "invite", "--label", label), r.proj)
	r.git(r.proj, "config", "xmpp.sync", "true")
	r.daemon = r.serve(r.proj)
	return r
}

// at waits until a branch is at a commit.
func (r *replica) at(t *testing.T, branch, id string) {
	t.Helper()
	await(t, branch+" at "+id, func() bool {
		return r.try(r.proj, "git", "rev-parse", "--verify", "--quiet", "refs/heads/"+branch).stdout == id+"\n"
	})
}

// What one commits the other gets by itself, both ways, after no more than a clone by invite and one setting on each side.
func TestSyncOfTwo(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) { syncOfTwo(t, s, s) })
}

func syncOfTwo(t *testing.T, bobs, alices *testserver.Server) {
	bob := newOrigin(t, bobs, "Bob", "bob")
	alice := newReplica(t, alices, "Alice", "alice", bob)
	id := alice.commit(alice.proj, "from-alice")
	began := time.Now()
	bob.at(t, "main", id)
	t.Log(time.Since(began))
	id = bob.commit(bob.proj, "from-bob")
	began = time.Now()
	alice.at(t, "main", id)
	t.Log(time.Since(began))
}

// sync asks for what others have, by way of a serve or without one, and says what came.
func TestSyncCommand(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	served := bob.newRepo("proj")
	daemon := bob.serve(served)
	clone := filepath.Join(alice.dir, "clone")
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite", "--label", "Alice"), clone)
	for round, start := range map[string]func(){"alone": func() {}, "by serve": func() { alice.serve(clone) }} {
		start()
		theirs := bob.commit(served, "bob "+round)
		ours := alice.git(clone, "commit-tree", "-m", round, "HEAD^{tree}")
		alice.git(clone, "branch", "alice-"+strings.ReplaceAll(round, " ", "-"), ours)
		said := alice.xmpp(clone, "sync")
		if got := alice.git(clone, "rev-parse", "main"); got != theirs || !strings.Contains(said, "origin: in sync with ") ||
			!strings.Contains(said, ".."+theirs[:7]+"  main") {
			t.Errorf("%s: main at %s, want %s; it says %q", round, got, theirs, said)
		}
		if bob.try(served, "git", "cat-file", "-e", ours).status != 0 {
			t.Errorf("%s: bob hasn't got what alice had", round)
		}
		if said := alice.xmpp(clone, "sync", "origin"); strings.Count(said, "\n") != 0 {
			t.Errorf("%s: nothing is new, and it says %q", round, said)
		}
	}
	fails(t, alice, clone, 1, `no remote "nowhere"`, "sync", "nowhere")
	daemon.stop()
	fails(t, alice, clone, 4, "origin: not in sync with ", "sync")
}

// git sees that a clone and its remote are in step, whoever of the two had something new.
func TestSyncTracksRemoteBranches(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	alice := newReplica(t, s, "Alice", "alice", bob)
	tracked := func(id string) {
		t.Helper()
		await(t, "origin/main at "+id, func() bool { return alice.git(alice.proj, "rev-parse", "origin/main") == id })
		if said := alice.git(alice.proj, "status", "--short", "--branch"); said != "## main...origin/main" {
			t.Errorf("git status says %q", said)
		}
	}
	tracked(alice.commit(alice.proj, "from-alice"))
	id := bob.commit(bob.proj, "from-bob")
	alice.at(t, "main", id)
	tracked(id)
}
