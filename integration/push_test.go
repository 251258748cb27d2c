package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// mustSay fails the test unless text holds what is wanted.
func mustSay(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("said\n%s\nwithout %q", text, want)
		}
	}
}

// A push is never refused because branches diverged: it goes to the pusher's own fallback refs, and after a merge
// to the branch.
func TestDivergedPush(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		bob, alice, served, clone := pairUp(t, s)
		theirs := bob.commit(served, "bobs")
		ours := alice.commit(clone, "alices")
		r := alice.gitBoth(clone, "push", "origin", "main")
		uuid := alice.git(clone, "config", "xmpp.uuid")
		fallback := "refs/synced/" + uuid + "/main"
		mustSay(t, r.stderr, " * [new reference]   main -> "+fallback)
		if got := bob.git(served, "rev-parse", "main"); got != theirs {
			t.Errorf("main moved to %s", got)
		}
		if got := bob.git(served, "rev-parse", fallback); got != ours {
			t.Errorf("%s is %s, want %s", fallback, got, ours)
		}
		alice.git(clone, "fetch", "--quiet")
		alice.git(clone, "merge", "--quiet", "--no-edit", "origin/main")
		merged := alice.git(clone, "rev-parse", "main")
		mustSay(t, alice.gitBoth(clone, "push", "origin", "main").stderr, fmt.Sprintf("%s..%s  main -> main", theirs[:7], merged[:7]))
		if got := bob.git(served, "rev-parse", "main"); got != merged {
			t.Errorf("main is %s, want %s", got, merged)
		}
		if refs := bob.git(served, "for-each-ref", "refs/synced"); refs != "" {
			t.Errorf("fallback refs stayed: %s", refs)
		}
		mustSay(t, alice.gitBoth(clone, "push", "origin", "main").stderr, "Everything up-to-date")
		if got := bob.git(served, "status", "--porcelain"); got != "" {
			t.Errorf("the work tree isn't clean: %s", got)
		}
	})
}

// The kinds of push that a user of git knows.
func TestKindsOfPush(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		bob, alice, served, clone := pairUp(t, s)
		push := func(args ...string) result {
			t.Helper()
			return alice.gitBoth(clone, append([]string{"push"}, args...)...)
		}
		rev := func(ref string) string { return bob.try(served, "git", "rev-parse", "--verify", "--quiet", ref).stdout }

		alice.git(clone, "branch", "topic")
		alice.git(clone, "tag", "-a", "-m", "one", "v1")
		mustSay(t, push("--atomic", "origin", "topic", "v1").stderr, " * [new branch]      topic -> topic", " * [new tag]         v1 -> v1")

		alice.git(clone, "checkout", "--quiet", "topic")
		old := alice.git(clone, "rev-parse", "topic")
		next := alice.commit(clone, "topic2")
		mustSay(t, push("--dry-run", "origin", "topic").stderr, "topic -> topic")
		if rev("topic") != old+"\n" {
			t.Error("a dry run moved the branch")
		}
		mustSay(t, push("--porcelain", "origin", "topic").stdout, fmt.Sprintf(" \trefs/heads/topic:refs/heads/topic\t%s..%s\nDone", old[:7], next[:7]))

		third := alice.commit(clone, "topic3")
		if r := alice.try(clone, "git", "push", "--force-with-lease=topic:"+old, "origin", "topic"); r.status == 0 || !strings.Contains(r.stderr, "stale info") {
			t.Errorf("a stale lease: %v", r)
		}
		mustSay(t, push("--force-with-lease=topic:"+next, "origin", "topic").stderr, fmt.Sprintf("%s..%s  topic -> topic", next[:7], third[:7]))
		mustSay(t, push("origin", "--delete", "topic").stderr, " - [deleted]         topic")
		if rev("topic") != "" {
			t.Error("topic is still there")
		}
		mustSay(t, push("origin", "--delete", "v1").stderr, " - [deleted]         v1")
		mustSay(t, push("origin", "topic:other").stderr, " * [new branch]      topic -> other")
		bob.git(served, "fsck", "--strict")
	})
}

// With --atomic one bad ref fails all.
func TestAtomicPush(t *testing.T) {
	bob, alice, served, clone := pairUp(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	hook(t, served, "update", `#!/bin/sh
case $1 in refs/heads/bad) echo no such thing; exit 1;; esac
`)
	alice.git(clone, "branch", "good")
	alice.git(clone, "branch", "bad")
	r := alice.try(clone, "git", "push", "--atomic", "origin", "good", "bad")
	if r.status != 1 {
		t.Errorf("push: %v", r)
	}
	mustSay(t, r.stderr, "remote: no such thing", "! [remote rejected] bad -> bad", "! [remote rejected] good -> good")
	if refs := bob.git(served, "for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
		t.Errorf("refs: %s", refs)
	}
	r = alice.try(clone, "git", "push", "origin", "good", "bad")
	if r.status != 1 {
		t.Errorf("push: %v", r)
	}
	mustSay(t, r.stderr, "! [remote rejected] bad -> bad (hook declined)", " * [new branch]      good -> good")
}

// hook installs a hook in a repository with a work tree.
func hook(t *testing.T, repository, name, script string) {
	t.Helper()
	path := filepath.Join(repository, ".git", "hooks", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil { //nolint:gosec // a hook is executable
		t.Fatal(err)
	}
}

// The repository's own hooks run, are told who pushes, and get push options; the reflog says it too.
func TestProvenance(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		bob, alice, served, clone := pairUp(t, s)
		seen := filepath.Join(bob.dir, "seen")
		hook(t, served, "pre-receive", "#!/bin/sh\necho refs: $(cat)\n")
		hook(t, served, "post-receive", "#!/bin/sh\nenv >"+seen+"\n")
		pushed := alice.commit(clone, "hooked")
		before := bob.git(served, "rev-parse", "main")
		r := alice.gitBoth(clone, "push", "-o", "topic=hooks", "origin", "main")
		mustSay(t, r.stderr, fmt.Sprintf("remote: refs: %s %s refs/heads/main", before, pushed))
		env, err := os.ReadFile(seen)
		if err != nil {
			t.Fatal(err)
		}
		uuid := alice.git(clone, "config", "xmpp.uuid")
		peers := alice.xmpp(clone, "peers")
		key := strings.Fields(strings.TrimPrefix(strings.Split(peers, "\n")[0], "this installation:"))[0]
		mustSay(t, string(env), "GIT_XMPP_PEER_JID=alice@localhost\n", "GIT_XMPP_PEER_UUID="+uuid+"\n", "GIT_XMPP_PEER_KEY="+key+"\n", "GIT_XMPP_PEER_LABEL=", "GIT_PUSH_OPTION_0=topic=hooks\n")
		for _, secret := range []string{"GIT_XMPP_PASSWORD", s.Accounts["bob"], "core.hooksPath"} {
			if strings.Contains(string(env), secret) {
				t.Errorf("the hook's environment has %s", secret)
			}
		}
		mustSay(t, bob.git(served, "reflog", "show", "main"), "push over xmpp", "alice@localhost", uuid, key)
	})
}

// A checked-out branch moves with its clean work tree, and is left alone with changes in it, which the pusher is told.
func TestCheckedOutBranch(t *testing.T) {
	bob, alice, served, clone := pairUp(t, testserver.New(t, testserver.Ejabberd, testserver.Options{}))
	alice.commit(clone, "clean")
	alice.git(clone, "push", "--quiet", "origin", "main")
	if _, err := os.Stat(filepath.Join(served, "clean.txt")); err != nil {
		t.Error(err)
	}
	changed := filepath.Join(served, "first.txt")
	if err := os.WriteFile(changed, []byte("changed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := bob.git(served, "rev-parse", "main")
	pushed := alice.commit(clone, "dirty")
	r := alice.gitBoth(clone, "push", "origin", "main")
	uuid := alice.git(clone, "config", "xmpp.uuid")
	mustSay(t, r.stderr, "remote: ", "main is checked out", "refs/synced/"+uuid+"/main")
	if got := bob.git(served, "rev-parse", "main"); got != before {
		t.Errorf("main moved to %s", got)
	}
	if got := bob.git(served, "rev-parse", "refs/synced/"+uuid+"/main"); got != pushed {
		t.Errorf("the fallback ref is %s", got)
	}
	if content, err := os.ReadFile(changed); err != nil || string(content) != "changed\n" {
		t.Errorf("the change is lost: %q, %v", content, err)
	}
}

// Other services and protocol versions go through as they are.
func TestFetchSide(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		bob, alice, served, clone := pairUp(t, s)
		for i := range 5 {
			bob.commit(served, fmt.Sprintf("commit%d", i))
		}
		url := "xmpp::bob@localhost/proj"
		head := bob.git(served, "rev-parse", "main")
		for _, version := range []string{"0", "1", "2"} {
			mustSay(t, alice.git(alice.dir, "-c", "protocol.version="+version, "ls-remote", url), head+"\trefs/heads/main")
		}
		trace := alice.command(clone, "git", "fetch", "origin")
		trace.Env = append(trace.Env, "GIT_TRACE_PACKET=1")
		mustSay(t, run(t, trace).stderr, "fetch< version 2")
		alice.git(alice.dir, "clone", "--quiet", "--depth=1", url, "shallow")
		if got := alice.git(filepath.Join(alice.dir, "shallow"), "rev-list", "--count", "HEAD"); got != "1" {
			t.Errorf("a shallow clone has %s commits", got)
		}
		alice.git(alice.dir, "archive", "--remote="+url, "--output=out.tar", "main")
		if info, err := os.Stat(filepath.Join(alice.dir, "out.tar")); err != nil || info.Size() < 1024 {
			t.Errorf("archive: %v, %v", info, err)
		}
		alice.git(alice.dir, "ls-remote", "xmpp://bob@localhost/proj")
		alice.git(alice.dir, "ls-remote", "xmpp::bob@localhost")
		alice.git(alice.dir, "ls-remote", "xmpp::bob@localhost/"+bob.git(served, "config", "xmpp.uuid"))
	})
}

// A push of a client waits for one before it, is told its place and goes on by itself; other clients don't wait.
func TestOnePushAtATime(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice, served, clone := pairUp(t, s)
	gate, entered := filepath.Join(bob.dir, "gate"), filepath.Join(bob.dir, "entered")
	hook(t, served, "pre-receive", "#!/bin/sh\ngrep -q slow || exit 0\ntouch "+entered+"\nwhile ! [ -e "+gate+" ]; do sleep 0.05; done\n")
	alice.git(clone, "branch", "slow")
	alice.git(clone, "branch", "second")
	slow := alice.command(clone, "git", "push", "origin", "slow")
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, entered)
	second := alice.command(clone, "git", "push", "origin", "second")
	lines := startLines(t, second)
	awaitLine(t, lines, "waiting: 1 push before this one")

	other := filepath.Join(alice.dir, "other")
	alice.git(alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", other)
	alice.git(other, "push", "--quiet", "origin", "HEAD:third") // another client of the same key

	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := slow.Wait(); err != nil {
		t.Error(err)
	}
	awaitLine(t, lines, "second -> second")
	if err := second.Wait(); err != nil {
		t.Error(err)
	}
	if got := bob.git(served, "for-each-ref", "--format=%(refname:short)", "refs/heads"); got != "main\nsecond\nslow\nthird" {
		t.Errorf("branches: %q", got)
	}
}
