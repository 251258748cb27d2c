package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// trio is bob, whose repository alice and carol have clones of, all in step.
func trio(t *testing.T) (bob, alice, carol *replica) {
	t.Helper()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob = newOrigin(t, s, "Bob", "bob")
	alice, carol = newReplica(t, s, "Alice", "alice", bob), newReplica(t, s, "Carol", "carol", bob)
	bob.both(t, "begin", alice, carol)
	return bob, alice, carol
}

// both has bob commit, and waits until the others have that.
func (r *replica) both(t *testing.T, name string, others ...*replica) {
	t.Helper()
	id := r.commit(r.proj, name)
	for _, o := range others {
		o.at(t, "main", id)
	}
}

// Who may not read any more, or isn't known any more, gets nothing, whatever waits for them, while others do.
func TestSyncOfTheRevoked(t *testing.T) {
	bob, alice, carol := trio(t)
	key := alice.key()
	alice.daemon.stop()
	bob.both(t, "meanwhile", carol)
	bob.xmpp(bob.proj, "peers", "set", key, "--access", "none")
	alice.daemon = alice.serve(alice.proj)
	bob.both(t, "after", carol)
	fails(t, alice.home, alice.proj, 1, "", "sync")
	if got := alice.try(alice.proj, "git", "log", "--all", "--format=%s").stdout; strings.Contains(got, "meanwhile") || strings.Contains(got, "after") {
		t.Errorf("alice has %q", got)
	}
	bob.xmpp(bob.proj, "peers", "remove", carol.key())
	bob.git(bob.proj, "branch", "secret", bob.commit(bob.proj, "secret"))
	fails(t, carol.home, carol.proj, 1, "", "sync")
	if carol.try(carol.proj, "git", "rev-parse", "--verify", "--quiet", "refs/heads/secret").status == 0 {
		t.Error("carol has it")
	}
}

// A clone with xmpp.sync=false again is left alone, and leaves others alone; true again, and it gets what it has missed.
func TestSyncSwitchedOff(t *testing.T) {
	bob, alice, carol := trio(t)
	alice.git(alice.proj, "config", "xmpp.sync", "false")
	before := alice.git(alice.proj, "rev-parse", "main")
	await(t, "it is off", func() bool { return !strings.Contains(alice.xmpp(alice.proj, "status", "--json"), `"sync": true`) })
	bob.both(t, "one", carol)
	alice.branch("mine")
	bob.both(t, "two", carol)
	if got := alice.git(alice.proj, "rev-parse", "main"); got != before {
		t.Errorf("main has moved to %s", got)
	}
	if bob.try(bob.proj, "git", "rev-parse", "--verify", "--quiet", "refs/heads/mine").status == 0 {
		t.Error("bob has alice's branch")
	}
	alice.git(alice.proj, "config", "xmpp.sync", "true")
	alice.at(t, "main", bob.git(bob.proj, "rev-parse", "main"))
	bob.at(t, "mine", alice.git(alice.proj, "rev-parse", "mine"))
}

// A peer whose git hangs on what is pushed to it doesn't keep others waiting, and is given up in time.
func TestSyncWithAPeerThatHangs(t *testing.T) {
	bob, alice, carol := trio(t)
	bob.daemon.stop()
	bob.env = append(bob.env, "GIT_XMPP_TIMEOUT=3")
	bob.daemon = bob.serve(bob.proj)
	hook(t, carol.proj, "pre-receive", "#!/bin/sh\nsleep 600\n")
	for i := range 3 {
		began := time.Now()
		bob.both(t, fmt.Sprint("hanging", i), alice)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("after %v", took)
		}
	}
	await(t, "carol is given up", func() bool { return strings.Contains(bob.xmpp(bob.proj, "status"), "no progress for 3s") })
	began := time.Now()
	bob.daemon.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("serve ended after %v", took)
	}
}

// branch makes a branch of one new commit.
func (r *replica) branch(name string) {
	r.t.Helper()
	r.git(r.proj, "branch", name, r.git(r.proj, "commit-tree", "-m", name, "HEAD^{tree}"))
}

// Repositories of other kinds, and one with many branches, are kept in step as well.
func TestSyncOfOtherKinds(t *testing.T) {
	for name, c := range map[string]struct {
		init     []string
		branches int
	}{
		"sha256": {init: []string{"--object-format=sha256"}}, "bare": {init: []string{"--bare"}}, "many branches": {branches: 500},
	} {
		t.Run(name, func(t *testing.T) {
			s := testserver.New(t, testserver.Prosody, testserver.Options{})
			bob := &replica{home: newHome(t, s, "Bob", "bob")}
			bob.proj = bob.newRepo("proj", c.init...)
			bob.git(bob.proj, "config", "xmpp.sync", "true")
			if name != "bare" {
				bob.commit(bob.proj, "second")
				bob.branches(t, c.branches)
			}
			bob.daemon = bob.serve(bob.proj)
			alice := newReplica(t, s, "Alice", "alice", bob)
			began := time.Now()
			bob.at(t, "main", alice.commit(alice.proj, "from-alice"))
			t.Logf("first: %v", time.Since(began))
			began = time.Now()
			id := alice.commit(alice.proj, "more")
			bob.at(t, "main", id)
			t.Logf("second: %v", time.Since(began))
			if c.branches > 0 {
				await(t, "all branches", func() bool {
					return strings.Count(alice.git(alice.proj, "for-each-ref", "refs/heads/topic"), "\n") == c.branches-1
				})
				t.Logf("all branches: %v", time.Since(began))
			}
		})
	}
}

// branches makes so many of them.
func (r *replica) branches(t *testing.T, n int) {
	t.Helper()
	var input strings.Builder
	id := r.git(r.proj, "rev-parse", "HEAD")
	for i := range n {
		fmt.Fprintf(&input, "create refs/heads/topic/%d %s\n", i, id)
	}
	cmd := r.command(r.proj, "git", "update-ref", "--stdin")
	cmd.Stdin = strings.NewReader(input.String())
	if got := run(t, cmd); got.status != 0 {
		t.Fatal(got)
	}
}

// What can't be said by sync is said in a line.
func TestSyncCommandFails(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	other := bob.newRepo("other")
	fails(t, bob.home, bob.dir, 1, "not a git repository", "sync")
	fails(t, bob.home, other, 1, "it isn't served here", "sync")
	fails(t, bob.home, bob.proj, 1, "there is nobody to be in sync with", "sync")
	bob.daemon.stop()
	file := filepath.Join(bob.dir, "data", "git-remote-xmpp", "sync.json")
	for name, c := range map[string]struct {
		text, want string
		mode       os.FileMode
	}{
		"damaged":  {"{", "sync.json is damaged", 0o600},
		"newer":    {`{"version":9,"content":{}}`, "written by a newer git-remote-xmpp", 0o600},
		"too open": {`{"version":1,"content":{}}`, "chmod 600", 0o666},
	} {
		if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		fails(t, bob.home, bob.proj, 1, c.want, "sync")
		fails(t, bob.home, bob.proj, 1, c.want, "serve")
	}
	bob.git(bob.dir, "config", "--global", "--unset", "xmpp.account")
	fails(t, bob.home, bob.proj, 3, "no XMPP account configured", "sync")
}
