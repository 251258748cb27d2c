package repo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/internal/refname"
)

// limits are what Alice may write to in these tests.
const limits = "refs/heads/topic,refs/heads/feature/*,refs/tags/a*"

// reasonHere is what she is told of another ref.
const reasonHere = "(not yours to push: you may write to refs/heads/topic, refs/heads/feature/*, refs/tags/a*)"

// inBothModes plays with a world where the pusher is limited.
func inBothModes(t *testing.T, play func(w *world)) {
	for _, mode := range []string{ModeFallback, ModeDirect} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t, "--bare")
			t.Setenv("TOY_MODE", mode)
			t.Setenv("TOY_REFS", limits)
			play(w)
		})
	}
}

// state is all refs of the server, and their reflogs.
func (w *world) state() string {
	w.t.Helper()
	all := git(w.t, w.server, "for-each-ref")
	err := filepath.WalkDir(filepath.Join(w.server, "logs"), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			all += "\n" + path + "\n" + readFile(w.t, path)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// refused fails the test unless a push is refused and changes nothing.
func (w *world) refused(args []string, say ...string) {
	w.t.Helper()
	before := w.state()
	out, status := w.push(append([]string{"origin"}, args...)...)
	if status != 1 {
		w.t.Errorf("git push %q: exit status %d\n%s", args, status, out)
	}
	w.says(out, say...)
	if after := w.state(); after != before {
		w.t.Errorf("git push %q changed\n%s\ninto\n%s", args, before, after)
	}
}

// Whatever is done to a ref beyond the limits, in whatever way, is refused.
func TestBeyondLimits(t *testing.T) {
	inBothModes(t, func(w *world) {
		git(t, w.server, "branch", "other", "main")
		git(t, w.server, "branch", "feature", "main")
		git(t, w.server, "tag", "v1", "main")
		git(t, w.server, "update-ref", syncedRef, "main")
		git(t, w.server, "update-ref", "refs/notes/x", "main")
		git(t, w.server, "config", "receive.denyDeleteCurrent", "ignore")
		git(t, w.client, "fetch", "-q", "origin")
		git(t, w.client, "commit", "--amend", "-q", "-m", "rewritten")
		git(t, w.client, "branch", "rewritten")
		git(t, w.client, "reset", "-q", "--hard", "origin/main")
		commit(t, w.client, "two", "two")
		git(t, w.client, "tag", "-a", "-m", "v2", "v2")
		rejected := func(arrow string) string { return "! [remote rejected] " + arrow + " " + reasonHere }
		w.refused([]string{"main"}, rejected("main -> main"))
		w.refused([]string{"--force", "rewritten:main"}, rejected("rewritten -> main"))
		w.refused([]string{"--force-with-lease", "rewritten:main"}, rejected("rewritten -> main"))
		w.refused([]string{":main"}, rejected("main"))
		w.refused([]string{"main:feature"}, rejected("main -> feature"))
		w.refused([]string{"main:new"}, rejected("main -> new"))
		w.refused([]string{"v2"}, rejected("v2 -> v2"))
		w.refused([]string{"--force", "v2:v1"}, rejected("v2 -> v1"))
		w.refused([]string{":v1"}, rejected("v1"))
		w.refused([]string{"main:refs/notes/x"}, rejected("main -> refs/notes/x"))
		w.refused([]string{":refs/notes/x"}, rejected("refs/notes/x"))
		w.refused([]string{"main:refs/top/level"}, rejected("main -> refs/top/level"))
		w.refused([]string{"main:" + syncedRef}, rejected("main -> "+syncedRef))
		w.refused([]string{":" + syncedRef}, rejected(syncedRef))
		w.refused([]string{"main:refs/synced/" + aliceUUID + ".1/new"}, "you may write to")
		w.refused([]string{"main:refs/synced/" + aliceUUID + "/" + otherUUID + "/main"}, "you may write to") // a record
		w.refused([]string{"main:refs/synced/" + otherUUID + "/topic"}, "deny updating a hidden ref")
		w.refused([]string{"--mirror"}, rejected("main -> main"), rejected("other"), rejected("v2 -> v2"))
	})
}

// What is within the limits goes through, and what isn't in the same push doesn't, unless it is atomic.
func TestWithinLimits(t *testing.T) {
	inBothModes(t, func(w *world) {
		git(t, w.server, "branch", "topic", "main")
		commit(t, w.client, "two", "two")
		both := []string{"main", "main:topic", "main:feature/a/b", "main:refs/tags/a1", "main:refs/tags/b1"}
		w.refused(append([]string{"--atomic"}, both...), "main -> main "+reasonHere, "main -> topic (atomic push failure)", "main -> feature/a/b (atomic push failure)",
			"main -> a1 (atomic push failure)", "main -> b1 "+reasonHere)
		out, status := w.push(append([]string{"origin"}, both...)...)
		if status != 1 {
			t.Errorf("exit status %d", status)
		}
		w.says(out, "main -> main "+reasonHere, "main -> topic", "main -> feature/a/b", "[new tag] main -> a1", "main -> b1 "+reasonHere)
		w.is("refs/heads/main", "main~1")
		for _, ref := range []string{"refs/heads/topic", "refs/heads/feature/a/b", "refs/tags/a1"} {
			w.is(ref, "main")
		}
		w.is("refs/tags/b1", "")
		git(t, w.client, "commit", "--amend", "-q", "-m", "rewritten")
		w.mustPush([]string{"--atomic", "origin", "+main:topic", ":feature/a/b", ":a1"}, "(forced update)", "[deleted] feature/a/b", "[deleted] a1")
		w.is("refs/heads/topic", "main")
		w.is("refs/heads/feature/a/b", "")
		w.is("refs/tags/a1", "")
	})
}

// What has diverged goes to the fallback ref of a branch that is within the limits, and goes away with it; records for it are taken.
func TestFallbackWithinLimits(t *testing.T) {
	w := newWorld(t, "--bare")
	t.Setenv("TOY_REFS", limits)
	w.diverge()
	git(t, w.server, "branch", "topic", "main")
	topic := "refs/synced/" + aliceUUID + "/topic"
	w.refused([]string{"main"}, "main -> main "+reasonHere)
	w.mustPush([]string{"origin", "main:topic"}, "main -> "+topic)
	w.is(topic, "main")
	record := "refs/synced/" + aliceUUID + "/" + otherUUID + "/topic"
	w.mustPush([]string{"origin", "main:" + record}, "main -> "+record)
	w.mustPush([]string{"origin", ":" + topic}, "[deleted]")
	w.is(topic, "")
}

// A symbolic ref is what it points to: within the limits or not.
func TestSymbolicRefsAndLimits(t *testing.T) {
	inBothModes(t, func(w *world) {
		git(t, w.server, "branch", "topic", "main")
		git(t, w.server, "symbolic-ref", "refs/heads/feature/main", "refs/heads/main")
		git(t, w.server, "symbolic-ref", "refs/heads/feature/far", "refs/heads/feature/main")
		git(t, w.server, "symbolic-ref", "refs/heads/feature/unborn", "refs/heads/unborn")
		git(t, w.server, "symbolic-ref", "refs/heads/feature/topic", "refs/heads/topic")
		commit(t, w.client, "two", "two")
		for _, name := range []string{"main", "far", "unborn"} {
			w.refused([]string{"main:refs/heads/feature/" + name}, "main -> feature/"+name+" "+reasonHere)
		}
		w.mustPush([]string{"origin", "main:refs/heads/feature/topic"})
		w.is("refs/heads/topic", "main")
		w.is("refs/heads/main", "main~1")
	})
}

// The repository's own hooks for single refs see nothing of what is refused; pre-receive, which is for the push as a whole, does.
func TestHooksAndLimits(t *testing.T) {
	inBothModes(t, func(w *world) {
		git(t, w.server, "branch", "topic", "main")
		seen := filepath.Join(w.t.TempDir(), "seen")
		w.hook("update", "echo update $1 >>"+seen)
		w.hook("post-receive", "while read old new ref; do echo post $ref >>"+seen+"; done; env | grep GIT_XMPP_REFS >>"+seen)
		w.hook("pre-receive", "while read old new ref; do echo pre $ref >>"+seen+"; done")
		commit(t, w.client, "two", "two")
		if out, status := w.push("origin", "main", "main:topic"); status != 1 {
			t.Errorf("exit status %d: %s", status, out)
		}
		want := "pre refs/heads/main\npre refs/heads/topic\nupdate refs/heads/topic\npost refs/heads/topic\n"
		if got := readFile(t, seen); got != want {
			t.Errorf("hooks have seen\n%s", got)
		}
	})
}

// The repository's own proc-receive hook is asked about what is within the limits, in both modes.
func TestOwnProcReceiveAndLimits(t *testing.T) {
	inBothModes(t, func(w *world) {
		log := w.ownHook("refs/heads/feature", "ng REF no way")
		git(t, w.server, "config", "--add", "receive.procReceiveRefs", "refs/heads/main")
		commit(t, w.client, "two", "two")
		out, status := w.push("origin", "main", "main:feature/a", "main:topic")
		if status != 1 {
			t.Errorf("exit status %d", status)
		}
		w.says(out, "main -> main "+reasonHere, "main -> feature/a (no way)", "main -> topic")
		w.is("refs/heads/topic", "main")
		if told := readFile(t, log); strings.Count(told, "command ") != 1 || !strings.Contains(told, " refs/heads/feature/a ") {
			t.Errorf("the hook was told\n%s", told)
		}
	})
}

// What waits in a fallback ref isn't brought in any more when its sender may not write to the branch.
func TestIntegrateAndLimits(t *testing.T) {
	w := newWorld(t, "--bare")
	commit(t, w.client, "two", "two")
	t.Setenv("TOY_INTEGRATE", IntegrateNone)
	w.mustPush([]string{"origin", "main", "main:topic"})
	r, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	sender := Sender{testJID, aliceUUID, testKey, "alice"}
	for _, test := range []struct {
		refs refname.Patterns
		main string
	}{{refname.Patterns{"refs/heads/topic"}, "main~1"}, {nil, "main"}} {
		if err := r.Integrate(t.Context(), sender, Policy{Refs: test.refs}, os.Stderr); err != nil {
			t.Fatal(err)
		}
		w.is("refs/heads/topic", "main")
		w.is("refs/heads/main", test.main)
	}
}

// Nothing is wanted that would be refused.
func TestWantedWithinLimits(t *testing.T) {
	w := newWorld(t, "--bare")
	commit(t, w.client, "two", "two")
	git(t, w.client, "push", "-q", w.server, "main:refs/tags/there")
	git(t, w.server, "tag", "-d", "there")
	id := git(t, w.client, "rev-parse", "main")
	var tips []Tip
	for _, ref := range []string{"refs/heads/feature/a", "refs/heads/main", "refs/synced/" + otherUUID + "/main", "refs/synced/" + otherUUID + "/topic", "refs/tags/a1", "refs/tags/v1"} {
		tips = append(tips, Tip{ref, id})
	}
	r, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := refname.ParsePatterns(limits)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Wanted(t.Context(), aliceUUID, allowed, tips)
	if want := []string{"refs/heads/feature/a", "refs/tags/a1", "refs/synced/" + otherUUID + "/topic"}; err != nil || !slices.Equal(refsOf(got), want) {
		t.Errorf("%q, %v", refsOf(got), err)
	}
	if got, err = r.Wanted(t.Context(), aliceUUID, nil, tips); err != nil || len(got) != len(tips) {
		t.Errorf("without limits: %q, %v", refsOf(got), err)
	}
}

// However many patterns there are, the reason stays short.
func TestReasonNotYours(t *testing.T) {
	many := slices.Repeat(refname.Patterns{"refs/heads/" + strings.Repeat("a", 90)}, refname.MaxPatterns)
	if got := reasonNotYours(many); len(got) > maxReasonBytes+20 || !strings.HasSuffix(got, " and 61 more") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

// A hook that is told limits that it can't read refuses everything.
func TestUnreadableLimits(t *testing.T) {
	w := newWorld(t, "--bare")
	for key, value := range map[string]string{envRefs: "main", envHooks: "/nowhere", envPeerJID: testJID, envPeerUUID: aliceUUID, "GIT_DIR": w.server} {
		t.Setenv(key, value)
	}
	var said strings.Builder
	if status := RunHook(t.Context(), procReceive, nil, strings.NewReader(""), os.Stderr, &said); status != 1 || !strings.Contains(said.String(), "not a pattern") {
		t.Errorf("exit status %d: %s", status, said.String())
	}
}

// In direct mode what is within the limits is git's business, as ever.
func TestDirectWithinLimits(t *testing.T) {
	w := newWorld(t)
	t.Setenv("TOY_MODE", ModeDirect)
	t.Setenv("TOY_REFS", "refs/heads/main")
	commit(t, w.client, "two", "two")
	w.refused([]string{"main"}, "main -> main (branch is currently checked out)")
	git(t, w.server, "config", "receive.denyCurrentBranch", "ignore")
	git(t, w.server, "config", "receive.denyNonFastForwards", "true")
	git(t, w.client, "commit", "--amend", "-q", "-m", "rewritten")
	w.mustPush([]string{"origin", "main"})
	git(t, w.client, "commit", "--amend", "-q", "-m", "rewritten again")
	w.refused([]string{"--force", "main"}, "main -> main (non-fast-forward)")
}

// A name that is within the limits, and is none that git takes, is refused for that.
func TestFunnyNameWithinLimits(t *testing.T) {
	w := newWorld(t, "--bare")
	main := git(t, w.server, "rev-parse", "main")
	r := w.receiver(t)
	r.allowed = refname.Patterns{"refs/heads/feature/*"}
	reports, err := r.run(t.Context(), request{commands: []command{{zeroLike(main), main, "refs/heads/feature/a..b"}, {zeroLike(main), main, "refs/heads/feature/a"}}})
	if err != nil || reports[0].reason != "funny refname" || reports[1].reason != "" {
		t.Errorf("%+v, %v", reports, err)
	}
}
