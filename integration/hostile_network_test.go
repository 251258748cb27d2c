package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	hostilePercent = 20
	hostileBytes   = 100_000
)

// Of all messages a fifth each is lost, repeated, delayed and put out of order: clone, push, fetch and diverging push are right, only slower.
func TestHostileNetwork(t *testing.T) {
	t.Parallel() // it waits most of the time
	for _, name := range testserver.XMPP {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hostileNetwork(t, testserver.New(t, name, testserver.Options{HostilePercent: hostilePercent}))
		})
	}
}

func hostileNetwork(t *testing.T, s *testserver.Server) {
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	alice.env = append(alice.env, "GIT_XMPP_TRACE="+alice.trace())
	served, clone := bob.newRepo("proj"), filepath.Join(alice.dir, "clone")
	randomFile(t, filepath.Join(served, "blob"), hostileBytes)
	bob.commit(served, "large")
	d := bob.serve(served)
	began := time.Now()
	step := func(what string) {
		t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
		began = time.Now()
	}
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), clone)
	step("clone")
	randomFile(t, filepath.Join(clone, "hers"), hostileBytes)
	pushed := alice.commit(clone, "hers")
	alice.git(clone, "push", "--quiet", "origin", "main")
	step("push")
	if got := bob.git(served, "rev-parse", "main"); got != pushed {
		t.Errorf("main is %s, want %s", got, pushed)
	}
	theirs, ours := bob.commit(served, "bobs"), alice.commit(clone, "alices")
	mustSay(t, alice.gitBoth(clone, "push", "origin", "main").stderr, " * [new reference]   main -> refs/synced/"+alice.git(clone, "config", "xmpp.uuid")+"/main")
	step("diverging push")
	if got := bob.git(served, "rev-parse", "main"); got != theirs {
		t.Errorf("main is %s, want %s", got, theirs)
	}
	if bob.try(served, "git", "cat-file", "-e", ours).status != 0 {
		t.Error("hers isn't there")
	}
	alice.git(clone, "fetch", "--quiet")
	step("fetch")
	if got := alice.git(clone, "rev-parse", "origin/main"); got != theirs {
		t.Errorf("fetched %s, want %s", got, theirs)
	}
	for home, dir := range map[*home]string{bob: served, alice: clone} {
		home.git(dir, "fsck", "--strict")
	}
	d.stop()
	trace, err := os.ReadFile(alice.trace())
	if err != nil {
		t.Fatal(err)
	}
	if !packetsLost.Match(trace) {
		t.Error("nothing was lost on the way")
	}
}

var packetsLost = regexp.MustCompile(`packetsLost=[1-9]`)
