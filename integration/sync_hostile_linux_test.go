package integration

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// leavesNothing fails the test if a process of the home is left.
func (h *home) leavesNothing(t *testing.T) {
	t.Helper()
	await(t, "the end of all processes", func() bool { return len(h.processes()) == 0 })
}

// A pre-push hook that fails is told, one that hangs stops neither others' pushes nor serve.
func TestSyncWithABadHook(t *testing.T) {
	bob, alice, _ := trio(t)
	hook(t, alice.proj, "pre-push", "#!/bin/sh\necho no such luck >&2\nexit 1\n")
	alice.commit(alice.proj, "refused")
	await(t, "it is told", func() bool { return strings.Contains(alice.xmpp(alice.proj, "status"), "no such luck") })
	hook(t, alice.proj, "pre-push", "#!/bin/sh\ntrap '' TERM HUP INT\ntouch "+alice.dir+"/hangs\nsleep 600 &\nwait\nsleep 600\n")
	alice.commit(alice.proj, "hanging")
	awaitFile(t, filepath.Join(alice.dir, "hangs"))
	bob.branch("other")
	alice.at(t, "other", bob.git(bob.proj, "rev-parse", "other"))
	hook(t, alice.proj, "pre-receive", "#!/bin/sh\ntrap '' TERM HUP INT\ntouch "+alice.dir+"/hangs-too\nsleep 600 &\nwait\nsleep 600\n")
	bob.branch("another")
	awaitFile(t, filepath.Join(alice.dir, "hangs-too"))
	began := time.Now()
	alice.daemon.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("serve ended after %v", took)
	}
	t.Logf("serve ended after %v", time.Since(began))
	alice.leavesNothing(t)
}

// ^C ends a sync at once, by way of a serve and without one, and leaves nothing.
func TestSyncInterrupted(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	alice := newReplica(t, s, "Alice", "alice", bob)
	bob.at(t, "main", alice.commit(alice.proj, "begin"))
	if err := bob.daemon.cmd.Process.Signal(syscall.SIGSTOP); err != nil { // it is online and doesn't answer
		t.Fatal(err)
	}
	for _, way := range []string{"by serve", "alone"} {
		if way == "alone" {
			alice.daemon.stop()
		}
		cmd := alice.command(alice.proj, "git-remote-xmpp", "sync")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			t.Errorf("%s: it ended by itself: %v", way, err)
			continue
		case <-time.After(2 * time.Second): // there is nothing to see of it
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			t.Logf("%s: %v", way, err)
			if err == nil {
				t.Errorf("%s: it ended well", way)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: it doesn't end", way)
		}
	}
	if err := bob.daemon.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	alice.leavesNothing(t)
}
