package integration

import (
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
		ended := make(chan result, 1)
		go func() { ended <- run(t, cmd) }()
		select {
		case r := <-ended:
			t.Errorf("%s: %v", way, r)
			continue
		case <-time.After(2 * time.Second): // there is nothing to see of it
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		select {
		case r := <-ended:
			t.Logf("%s: %v", way, r)
			if r.status == 0 {
				t.Errorf("%s: %v", way, r)
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
