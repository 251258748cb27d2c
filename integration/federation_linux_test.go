package integration

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// soonKnown is how long it may take until somebody knows that a peer on another server isn't there.
const soonKnown = 5 * time.Second

// federated starts a Prosody and an ejabberd, of a.test and b.test, that talk to each other.
func federated(t *testing.T, o testserver.Options) (prosody, ejabberd *testserver.Server) {
	t.Helper()
	f := testserver.NewFederation(t, "a.test", "b.test")
	return testserver.New(t, testserver.Prosody, f.Options("a.test", o)), testserver.New(t, testserver.Ejabberd, f.Options("b.test", o))
}

// The main job with each of the two on another server, whichever of them serves; also for repositories in step.
func TestFederation(t *testing.T) {
	t.Parallel() // it has servers of its own
	prosody, ejabberd := federated(t, testserver.Options{})
	for _, way := range []struct{ bobs, alices *testserver.Server }{{prosody, ejabberd}, {ejabberd, prosody}} {
		for _, bare := range []bool{false, true} {
			t.Run(fmt.Sprintf("served on %s-bare=%v", way.bobs.Name, bare), func(t *testing.T) { mainJob(t, way.bobs, way.alices, "alice", bare) })
		}
	}
	t.Run("in step", func(t *testing.T) { syncOfTwo(t, prosody, ejabberd) })
}

// A large push goes from one server to the other; a peer that goes offline in its middle, or isn't there, is known by the servers' word.
func TestFederationPeerGone(t *testing.T) {
	t.Parallel() // it waits most of the time
	prosody, ejabberd := federated(t, testserver.Options{BytesPerSecond: slowBytesPerSecond})
	bob, alice := newHome(t, prosody, "Bob", "bob"), newHome(t, ejabberd, "Alice", "alice")
	served, clone := bob.newRepo("proj"), filepath.Join(alice.dir, "clone")
	d := bob.serve(served)
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), clone)
	bob.git(served, "config", "receive.unpackLimit", "1")
	alice.git(clone, "config", "xmpp.timeout", goneTimeout)
	randomFile(t, filepath.Join(clone, "blob"), largeBytes)
	alice.commit(clone, "large")
	push := alice.start(t, clone, "push", "origin", "main")
	await(t, "data to flow", func() bool { return incoming(served) >= flowingBytes })
	d.kill()
	gone := time.Now()
	r := push.wait(t)
	if took := time.Since(gone); r.status == 0 || took > goneWithin {
		t.Errorf("push, %v: %v", took, r)
	}
	mustSay(t, r.stderr, ourPrefix+bob.account, "went offline")

	began := time.Now()
	if r := alice.try(clone, "git", "ls-remote", "origin"); r.status == 0 || time.Since(began) > soonKnown {
		t.Errorf("nobody is there, known after %v: %v", time.Since(began), r)
	}
	bob.serve(served)
	alice.git(clone, "push", "--quiet", "origin", "main")
	if got, want := bob.git(served, "rev-parse", "main"), alice.git(clone, "rev-parse", "main"); got != want {
		t.Errorf("main is %s, want %s", got, want)
	}
}
