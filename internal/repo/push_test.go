package repo

import (
	"strings"
	"testing"
)

var toMain = []string{"origin", "main"}

// kinds are the repositories that the plain cases are tried on.
var kinds = map[string][]string{
	"work tree": nil,
	"bare":      {"--bare"},
	"sha256":    {"--object-format=sha256"},
}

func eachKind(t *testing.T, test func(t *testing.T, w *world)) {
	for name, args := range kinds {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, args...)) })
	}
}

func TestPushFastForward(t *testing.T) {
	eachKind(t, func(t *testing.T, w *world) {
		old := short(w, w.client, "main")
		commit(t, w.client, "two", "two")
		w.mustPush(toMain, old+".."+short(w, w.client, "main")+" main -> main")
		w.is("refs/heads/main", "main")
		w.is(syncedRef, "")
		w.mustPush(toMain, "Everything up-to-date")
		if !w.bare() && readFile(t, w.server+"/two") != "two" {
			t.Error("the work tree wasn't brought along")
		}
		if out := git(t, w.server, "fsck"); strings.Contains(out, "error") {
			t.Error(out)
		}
	})
}

func TestPushDivergedThenMerged(t *testing.T) {
	eachKind(t, func(t *testing.T, w *world) {
		w.diverge()
		theirs := short(w, w.server, "main")
		w.mustPush(toMain, "* [new reference] main -> "+syncedRef)
		w.is(syncedRef, "main")
		if short(w, w.server, "main") != theirs {
			t.Error("main was moved")
		}
		first := short(w, w.client, "main")
		commit(t, w.client, "more", "more")
		w.mustPush(toMain, first+".."+short(w, w.client, "main")+" main -> "+syncedRef)
		git(t, w.client, "commit", "-q", "--amend", "-m", "rewritten")
		w.mustPush(toMain, "(forced update)", "main -> "+syncedRef)
		w.is(syncedRef, "main")

		git(t, w.client, "pull", "-q", "--no-rebase", "--no-edit", "origin", "main")
		w.mustPush(toMain, theirs+".."+short(w, w.client, "main")+" main -> main")
		w.is("refs/heads/main", "main")
		w.is(syncedRef, "")
		w.mustPush(toMain, "Everything up-to-date")
	})
}

// A pusher whose remote-tracking branch is told of a push that only reached the
// fallback ref would think that it is done.
func TestDivergedLeavesTrackingBranchAlone(t *testing.T) {
	w := newWorld(t, "--bare")
	before := git(t, w.client, "rev-parse", "origin/main")
	w.diverge()
	w.mustPush(toMain)
	if after := git(t, w.client, "rev-parse", "origin/main"); after != before {
		t.Errorf("origin/main is %s, was %s", after, before)
	}
}

func TestPushNewBranchAndTag(t *testing.T) {
	w := newWorld(t)
	git(t, w.client, "tag", "-a", "-m", "first", "v1")
	w.mustPush([]string{"origin", "main:topic", "v1"}, "* [new branch] main -> topic", "* [new tag] v1 -> v1")
	w.is("refs/heads/topic", "main")
	w.is("refs/tags/v1", "v1")
}

func TestPushFromOtherBranch(t *testing.T) {
	w := newWorld(t)
	git(t, w.client, "checkout", "-q", "-b", "topic")
	old := short(w, w.client, "main")
	commit(t, w.client, "two", "two")
	git(t, w.client, "branch", "-D", "main")
	w.mustPush([]string{"origin", "topic:main"}, old+".."+short(w, w.client, "topic")+" topic -> main")
	w.is("refs/heads/main", "topic")
}

func TestPushWithOptions(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		status int
		say    string
		moved  bool
	}{
		"dry run":           {[]string{"--dry-run"}, 0, "main -> main", false},
		"porcelain":         {[]string{"--porcelain"}, 0, "refs/heads/main:refs/heads/main", true},
		"lease right":       {[]string{"--force-with-lease"}, 0, "main -> main", true},
		"lease stale":       {[]string{"--force-with-lease=main:4b825dc642cb6eb9a060e54bf8d69288fbee4904"}, 1, "stale info", false},
		"force":             {[]string{"--force"}, 0, "main -> main", true},
		"atomic":            {[]string{"--atomic"}, 0, "main -> main", true},
		"no thin":           {[]string{"--no-thin"}, 0, "main -> main", true},
		"option":            {[]string{"-o", "greeting=hello"}, 0, "main -> main", true},
		"option and atomic": {[]string{"-o", "greeting=hello", "--atomic"}, 0, "main -> main", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "--bare")
			w.hook("pre-receive", `echo "option $GIT_PUSH_OPTION_0"`)
			commit(t, w.client, "two", "two")
			out, status := w.push(append(test.args, toMain...)...)
			if status != test.status {
				t.Fatalf("exit status %d\n%s", status, out)
			}
			w.says(out, test.say)
			if test.args[0] == "-o" {
				w.says(out, "remote: option greeting=hello")
			}
			if test.moved {
				w.is("refs/heads/main", "main")
			} else {
				w.is("refs/heads/main", "main~1")
			}
		})
	}
}

func TestPorcelainDiverged(t *testing.T) {
	w := newWorld(t, "--bare")
	w.diverge()
	w.mustPush([]string{"--porcelain", "origin", "main"}, "* refs/heads/main:"+syncedRef+" [new reference]", "Done")
}

func TestPushConflictingNames(t *testing.T) {
	w := newWorld(t, "--bare")
	commit(t, w.client, "two", "two")
	out, status := w.push("origin", "main", "main:main/sub", "main:fine")
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
	w.says(out, "main -> main/sub", "[remote rejected]", "refs/heads/main' exists", "main -> main", "main -> fine")
	if strings.Contains(out, w.server+"/refs") {
		t.Errorf("a path is shown:\n%s", out)
	}
	w.is("refs/heads/main", "main")
	w.is("refs/heads/fine", "main")
}

func TestPushLockedRef(t *testing.T) {
	w := newWorld(t, "--bare")
	commit(t, w.client, "two", "two")
	writeFile(t, w.server+"/refs/heads/main.lock", "", 0o644)
	out, status := w.push(toMain...)
	if status != 1 || strings.Contains(out, w.server+"/refs") {
		t.Errorf("exit status %d\n%s", status, out)
	}
	w.says(out, "[remote rejected]")
	w.is("refs/heads/main", "main~1")
}

func TestPushNotACommit(t *testing.T) {
	w := newWorld(t, "--bare")
	git(t, w.client, "tag", "-a", "-m", "tag", "v1")
	out, status := w.push("origin", "v1:refs/heads/tagged")
	if status == 0 {
		t.Error("accepted")
	}
	w.says(out, "rejected")
	w.is("refs/heads/tagged", "")
	tree := git(t, w.server, "rev-parse", "main^{tree}")
	reports := w.receive(t, command{zeroLike(tree), tree, "refs/heads/tree"}, command{zeroLike(tree), tree, "refs/heads/a..b"})
	if reports[0].reason != "not a commit" || reports[1].reason != "funny refname" {
		t.Errorf("reports %+v", reports)
	}
}

func TestIntegrateNone(t *testing.T) {
	w := newWorld(t, "--bare")
	t.Setenv("TOY_INTEGRATE", IntegrateNone)
	commit(t, w.client, "two", "two")
	w.mustPush([]string{"origin", "main", "main:topic"}, "[new reference] main -> "+syncedRef, "main -> refs/synced/"+aliceUUID+"/topic")
	w.is("refs/heads/main", "main~1")
	w.is("refs/heads/topic", "")
	w.is(syncedRef, "main")
}

func TestDirectMode(t *testing.T) {
	w := newWorld(t, "--bare")
	t.Setenv("TOY_MODE", ModeDirect)
	w.diverge()
	out, status := w.push(toMain...)
	w.says(out, "fetch first")
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
	w.mustPush([]string{"--force", "origin", "main"}, "forced update")
	w.is("refs/heads/main", "main")
	log := readFile(t, w.server+"/logs/refs/heads/main")
	if !strings.Contains(log, "alice (xmpp) <"+testJID+">") {
		t.Errorf("reflog:\n%s", log)
	}
}

func TestPushFromShallowClone(t *testing.T) {
	w := newWorld(t)
	w.commitOnServer("two")
	w.client += "-shallow"
	git(t, w.server, "clone", "-q", "--depth=1", "toy::"+w.server, w.client)
	commit(t, w.client, "three", "three")
	w.mustPush(toMain, "main -> main")
	w.is("refs/heads/main", "main")
	w.diverge()
	w.mustPush(toMain, "[new reference] main -> "+syncedRef)
	git(t, w.server, "fsck")
}

// In a partial clone a commit that isn't here must not be fetched to look at it.
func TestPushFromPartialClone(t *testing.T) {
	w := newWorld(t)
	git(t, w.server, "config", "uploadpack.allowFilter", "true")
	w.client += "-partial"
	git(t, w.server, "clone", "-q", "--filter=blob:none", "toy::"+w.server, w.client)
	w.diverge()
	theirs := git(t, w.server, "rev-parse", "main")
	w.mustPush(toMain, "[new reference] main -> "+syncedRef)
	if out := git(t, w.client, "cat-file", "--batch-all-objects", "--batch-check"); strings.Contains(out, theirs) {
		t.Error("their commit was fetched")
	}
}

// Git checks a lease against what is advertised, before anything is sent.
func TestLeaseOnDivergedBranch(t *testing.T) {
	w := newWorld(t, "--bare")
	w.diverge()
	git(t, w.client, "fetch", "-q")
	for _, stale := range []string{"--force-with-lease=main:", "--force-with-lease=main:" + git(t, w.client, "rev-parse", "main~1")} {
		before := git(t, w.server, "rev-parse", "main")
		out, status := w.push(stale, "origin", "main")
		w.says(out, "stale info")
		if now := git(t, w.server, "rev-parse", "main"); status != 1 || now != before {
			t.Errorf("%s: exit status %d, main is %s, was %s", stale, status, now, before)
		}
	}
	if out, status := w.push("--force-with-lease", "origin", "main"); status != 0 {
		t.Errorf("a right lease: exit status %d, %s", status, out)
	}
}
