package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// hangingPush begins a push that hangs in a hook of the serving side, and returns it when it does, with the hook's process.
func hangingPush(t *testing.T, alice *home, served, clone string) (push <-chan result, pid string) {
	t.Helper()
	mark := filepath.Join(t.TempDir(), "pid")
	hook(t, served, "pre-receive", "#!/bin/sh\necho $$ >"+mark+".new\nmv "+mark+".new "+mark+"\nsleep 600\n")
	alice.commit(clone, "hanging")
	cmd := alice.command(clone, "git", "push", "origin", "main")
	ended := make(chan result, 1)
	go func() { ended <- run(t, cmd) }()
	awaitFile(t, mark)
	b, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	return ended, strings.TrimSpace(string(b))
}

// hookEnded waits for the end of the hook and takes it away; the repository is as it should be.
func hookEnded(t *testing.T, bob *home, served, pid string) {
	t.Helper()
	await(t, "the end of the hook", func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
	if err := os.Remove(filepath.Join(served, ".git", "hooks", "pre-receive")); err != nil {
		t.Fatal(err)
	}
	bob.git(served, "fsck", "--strict")
}

// quarantineGone waits until git has removed what it had received.
func quarantineGone(t *testing.T, served string) {
	t.Helper()
	await(t, "the end of the quarantine", func() bool {
		left, err := filepath.Glob(filepath.Join(served, ".git", "objects", "tmp_objdir-*"))
		return err == nil && len(left) == 0
	})
}

// A hook that hangs is given up after the timeout by both ends, leaves nothing, and the next push works.
func TestHookThatHangs(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
		bob.env = append(bob.env, "GIT_XMPP_TIMEOUT=3")
		served := bob.newRepo("proj")
		d := bob.serve(served)
		alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), "clone")
		clone := filepath.Join(alice.dir, "clone")
		before := bob.git(served, "rev-parse", "main")
		push, pid := hangingPush(t, alice, served, clone)
		r := <-push
		if r.status == 0 {
			t.Errorf("push: %v", r)
		}
		mustSay(t, r.stderr, "git-remote-xmpp: bob@localhost/proj: no progress for too long")
		hookEnded(t, bob, served, pid)
		quarantineGone(t, served)
		if got := bob.git(served, "rev-parse", "main"); got != before {
			t.Errorf("main moved to %s", got)
		}
		alice.git(clone, "push", "--quiet", "origin", "main")
		d.stop()
		mustSay(t, d.stderr.String(), "no progress for too long")
	})
}

// A serve that is killed takes its hooks with it, and the next one works.
func TestServeKilledInAHook(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	served := bob.newRepo("proj")
	d := bob.serve(served)
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), "clone")
	clone := filepath.Join(alice.dir, "clone")
	push, pid := hangingPush(t, alice, served, clone)
	d.kill()
	hookEnded(t, bob, served, pid)
	bob.serve(served) // the old connection is told that it is gone
	if r := <-push; r.status == 0 {
		t.Errorf("push: %v", r)
	}
	alice.git(clone, "push", "--quiet", "origin", "main")
}
