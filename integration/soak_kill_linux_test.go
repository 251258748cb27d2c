package integration

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// After a push of which nothing is left, for it was killed, the next one of its client doesn't wait for long, however long the first might have taken. A helper
// that lost its network looks the same, and gets longer to come back when nobody waits.
func TestPushAfterAKilledOne(t *testing.T) {
	t.Parallel() // it waits most of the time
	bob, alice, served, clone := pairUp(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	entered := filepath.Join(bob.dir, "entered")
	hook(t, served, "pre-receive", "#!/bin/sh\ngrep -q slow || exit 0\ntouch "+entered+"\nexec sleep 600\n")
	for _, branch := range []string{"slow", "second"} {
		alice.git(clone, "branch", branch)
	}
	slow := alice.start(t, clone, "push", "origin", "slow")
	awaitFile(t, entered)
	began := time.Now()
	if err := syscall.Kill(-slow.cmd.Process.Pid, syscall.SIGKILL); err != nil { // ours
		t.Fatal(err)
	}
	slow.wait(t)
	r := alice.gitBoth(clone, "push", "origin", "second")
	mustSay(t, r.stderr, "second -> second")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the next push took %v: %s", took, r.stderr)
	}
	await(t, "the quarantine to go", func() bool { return len(remains(t, served)) == 0 })
	if got := bob.git(served, "for-each-ref", "--format=%(refname:short)", "refs/heads"); got != "main\nsecond" {
		t.Errorf("branches: %q", got)
	}
}

// Nor does that of another client, when the killed one has the only place.
func TestPushAfterAKilledOneOfAnother(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, server, "Bob", "bob"), newHome(t, server, "Alice", "alice")
	bob.git(bob.dir, "config", "--global", "xmpp.maxPushes", "1")
	served, entered := bob.newRepo("proj"), filepath.Join(bob.dir, "entered")
	bob.serve(served)
	hook(t, served, "pre-receive", "#!/bin/sh\ngrep -q slow || exit 0\ntouch "+entered+"\nexec sleep 600\n")
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), "one")
	alice.git(alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", "two")
	slow := alice.start(t, filepath.Join(alice.dir, "one"), "push", "origin", "HEAD:slow")
	awaitFile(t, entered)
	began := time.Now()
	if err := syscall.Kill(-slow.cmd.Process.Pid, syscall.SIGKILL); err != nil { // ours
		t.Fatal(err)
	}
	slow.wait(t)
	r := alice.gitBoth(filepath.Join(alice.dir, "two"), "push", "origin", "HEAD:second")
	mustSay(t, r.stderr, "waiting: 1 push before this one", "HEAD -> second")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the push took %v: %s", took, r.stderr)
	}
}
