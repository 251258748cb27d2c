package integration

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A push that had to wait for its turn is killed when it has it: the next one of the clone needn't wait for it any longer than for one that hadn't.
func TestPushKilledAfterItWaited(t *testing.T) {
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	marks := t.TempDir()
	hook(t, p.served, "pre-receive", "#!/bin/sh\nread old new ref\nname=${ref##*/}\ntouch "+marks+"/in-$name\nwhile [ -e "+marks+"/hold-$name ]; do sleep 0.05; done\n")
	mark := func(name string) string { return filepath.Join(marks, name) }
	for _, name := range []string{"hold-a", "hold-b"} {
		if err := os.WriteFile(mark(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := p.alice.start(t, p.clone, "push", "origin", "HEAD:refs/heads/a")
	awaitFile(t, mark("in-a"))
	second := p.alice.command(p.clone, "git", "push", "origin", "HEAD:refs/heads/b")
	second.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	awaitLine(t, startLines(t, second), "waiting: 1 push before this one")
	if err := os.Remove(mark("hold-a")); err != nil {
		t.Fatal(err)
	}
	if r := first.wait(t); r.status != 0 {
		t.Errorf("the first push: %v", r)
	}
	awaitFile(t, mark("in-b"))
	if err := syscall.Kill(-second.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = second.Wait() // killed
	killed := time.Now()
	p.alice.git(p.clone, "push", "--quiet", "origin", "HEAD:refs/heads/c")
	if took := time.Since(killed); took > nextPushWithin {
		t.Errorf("the next push took %v", took)
	}
	p.bob.onlyServes(t, p.daemon)
	if p.bob.try(p.served, "git", "rev-parse", "--verify", "--quiet", "refs/heads/b").status == 0 {
		t.Error("the killed push has been taken in")
	}
}
