package integration

import (
	"path/filepath"
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
func newOrigin(t *testing.T, s *testserver.Server, label, user string) *replica {
	t.Helper()
	r := &replica{home: newHome(t, s, label, user)}
	r.proj = r.newRepo("proj")
	r.git(r.proj, "config", "xmpp.sync", "true")
	r.daemon = r.serve(r.proj)
	return r
}

// newReplica makes one more, by an invite from another.
func newReplica(t *testing.T, s *testserver.Server, label, user string, from *replica) *replica {
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
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		bob := newOrigin(t, s, "Bob", "bob")
		alice := newReplica(t, s, "Alice", "alice", bob)
		id := alice.commit(alice.proj, "from-alice")
		began := time.Now()
		bob.at(t, "main", id)
		t.Log(time.Since(began))
		id = bob.commit(bob.proj, "from-bob")
		began = time.Now()
		alice.at(t, "main", id)
		t.Log(time.Since(began))
	})
}
