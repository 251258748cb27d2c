package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A repository that can't be written to refuses a push, as git says; when it can be, the next push works.
func TestReadOnlyRepository(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	disk := filepath.Join(bob.dir, "disk")
	smallDisk(t, disk, "4m")
	served := bob.newRepo("disk/proj")
	d := bob.serve(served)
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), "clone")
	clone := filepath.Join(alice.dir, "clone")
	alice.git(clone, "push", "--quiet", "origin", "main:other") // the first one makes folders
	bob.onlyServes(t, d)
	before, files := snapshot(t, served), d.files(t)
	pushed := alice.commit(clone, "pushed")
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|flags, "mode=700,size=4m"); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	r := alice.start(t, clone, "push", "origin", "main").wait(t)
	if r.status == 0 || strings.Contains(r.stderr, bob.dir) {
		t.Errorf("push: %v", r)
	}
	mustSay(t, r.stderr, "! [remote rejected] main -> main (unpacker error)")
	alice.git(alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", "again") // it can be read
	remount(0)
	bob.onlyServes(t, d)
	sameSnapshot(t, before, snapshot(t, served))
	await(t, "descriptors to be closed", func() bool { return d.files(t) <= files })
	alice.git(clone, "push", "--quiet", "origin", "main")
	if got := bob.git(served, "rev-parse", "main"); got != pushed {
		t.Errorf("main is %s, want %s", got, pushed)
	}
}

// What becomes of a push of main to a repository with a lock.
const (
	rejected = "rejected"
	aside    = "aside"
	moved    = "moved"
)

// A lock that somebody has left in the repository is neither waited for nor taken away: git tells the truth about the refs, and when the lock
// is gone the next push works.
func TestLockLeft(t *testing.T) {
	t.Parallel()
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	fallback := "refs/synced/" + p.alice.git(p.clone, "config", "xmpp.uuid") + "/main"
	p.bob.onlyServes(t, p.daemon)
	files := p.daemon.files(t)
	for lock, outcome := range map[string]string{
		"refs/heads/main.lock": rejected, "HEAD.lock": rejected, // what is locked can't be moved
		"index.lock":       aside,                       // the work tree can't be brought along
		"packed-refs.lock": moved, "config.lock": moved, // nothing is written there
	} {
		path := filepath.Join(p.served, ".git", lock)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		before := p.bob.git(p.served, "rev-parse", "main")
		pushed := p.alice.commit(p.clone, strings.ReplaceAll(lock, "/", "-"))
		r := p.alice.start(t, p.clone, "push", "origin", "main").wait(t)
		main, kept := p.bob.git(p.served, "rev-parse", "main"), p.bob.try(p.served, "git", "rev-parse", "--verify", "--quiet", fallback).stdout
		want := map[string]struct {
			status           int
			said, main, kept string
		}{
			rejected: {1, " ! [remote rejected] main -> main (cannot lock ref ", before, ""},
			aside:    {0, " * [new reference]   main -> " + fallback, before, pushed + "\n"},
			moved:    {0, "  main -> main", pushed, ""},
		}[outcome]
		if r.status != want.status || main != want.main || kept != want.kept {
			t.Errorf("%s: main is %s, want %s; %s is %q, want %q: %v", lock, main, want.main, fallback, kept, want.kept, r)
		}
		mustSay(t, r.stderr, want.said)
		if left := remains(t, p.served); len(left) != 1 || left[0] != path {
			t.Errorf("%s: left behind: %v", lock, left)
		}
		p.bob.onlyServes(t, p.daemon)
		p.bob.git(p.served, "fsck", "--strict")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		p.alice.git(p.clone, "push", "--quiet", "origin", "main")
		if got := p.bob.git(p.served, "rev-parse", "main"); got != pushed {
			t.Errorf("after %s: main is %s, want %s", lock, got, pushed)
		}
		if got := p.bob.git(p.served, "status", "--porcelain"); got != "" {
			t.Errorf("after %s the work tree isn't clean: %s", lock, got)
		}
	}
	await(t, "descriptors to be closed", func() bool { return p.daemon.files(t) <= files })
}
