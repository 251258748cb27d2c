package repo

import (
	"os"
	"testing"
)

// forcing is a world whose pusher is shown the branches as they are, as with a forced push, and whose main on
// either side has a commit that the other hasn't.
func forcing(t *testing.T, initArgs ...string) *world {
	t.Helper()
	w := newWorld(t, initArgs...)
	t.Setenv("TOY_PLAIN", "yes")
	w.diverge()
	git(t, w.client, "fetch", "-q")
	return w
}

var forceMain = []string{"--force", "origin", "main"}

func TestForcedPush(t *testing.T) {
	for name, args := range kinds {
		t.Run(name, func(t *testing.T) {
			w := forcing(t, args...)
			w.mustPush(forceMain, "+ "+short(w, w.server, "main")+"..."+short(w, w.client, "main")+" main -> main (forced update)")
			w.is("refs/heads/main", "main")
			w.is(syncedRef, "")
			if w.bare() {
				return
			}
			_, err := os.Stat(w.server + "/theirs")
			if s := git(t, w.server, "status", "--porcelain"); s != "" || err == nil || readFile(t, w.server+"/ours") != "ours" {
				t.Errorf("the work tree wasn't brought along: %v\n%s", err, s)
			}
		})
	}
}

func TestForcedRewind(t *testing.T) {
	w := newWorld(t)
	commit(t, w.client, "two", "two")
	w.mustPush(toMain)
	t.Setenv("TOY_PLAIN", "yes")
	w.mustPush([]string{"origin", "+main~1:main"}, "(forced update)")
	w.is("refs/heads/main", "main~1")
	if _, err := os.Stat(w.server + "/two"); err == nil {
		t.Error("the work tree wasn't brought along")
	}
}

// Git knows by the lease that nobody was faster, and so does the branch's lock.
func TestForcedWithLease(t *testing.T) {
	w := forcing(t, "--bare")
	w.mustPush([]string{"--force-with-lease", "origin", "main"}, "main -> main (forced update)")
	w.is("refs/heads/main", "main")
}

func TestForcedAtomic(t *testing.T) {
	w := forcing(t)
	git(t, w.client, "tag", "v1")
	w.mustPush([]string{"--atomic", "--force", "origin", "main", "v1", "main:new"}, "main -> main (forced update)")
	w.is("refs/heads/main", "main")
	w.is("refs/heads/new", "main")
	w.is("refs/tags/v1", "v1")
}

// What stands against a forced update doesn't refuse the push.
func TestForcedPushLeftAside(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(t *testing.T, w *world)
		say     string
	}{
		"denyNonFastForwards": {func(t *testing.T, w *world) {
			git(t, w.server, "config", "receive.denyNonFastForwards", "yes")
		}, "main may not lose commits there (receive.denyNonFastForwards): left as it was"},
		"integrate none": {func(t *testing.T, _ *world) {
			t.Setenv("TOY_INTEGRATE", IntegrateNone)
		}, "main isn't moved by a push there"},
		"changed file": {func(t *testing.T, w *world) {
			writeFile(t, w.server+"/one", "edited", 0o644)
		}, "main is checked out with changes in a work tree there"},
		"denyCurrentBranch": {func(t *testing.T, w *world) {
			git(t, w.server, "config", "receive.denyCurrentBranch", "refuse")
		}, "main is checked out there, where receive.denyCurrentBranch is set to refuse"},
	} {
		t.Run(name, func(t *testing.T) {
			w := forcing(t)
			test.prepare(t, w)
			before := git(t, w.server, "rev-parse", "main")
			w.mustPush(forceMain, "remote: "+test.say, "your commits are in "+syncedRef, "main -> "+syncedRef)
			w.is(syncedRef, "main")
			if git(t, w.server, "rev-parse", "main") != before || readFile(t, w.server+"/theirs") != "theirs" {
				t.Error("main was moved")
			}
		})
	}
}

func TestForcedPushAsksUpdateHook(t *testing.T) {
	w := forcing(t, "--bare")
	old, new := git(t, w.server, "rev-parse", "main"), git(t, w.client, "rev-parse", "main")
	w.hook("update", `echo "$@"; exit 1`)
	out, status := w.push(forceMain...)
	w.says(out, "remote: refs/heads/main "+old+" "+new, "hook declined")
	if status != 1 || git(t, w.server, "rev-parse", "main") != old {
		t.Errorf("exit status %d", status)
	}
}

// A pusher that was shown another value than the branch has now gives up what nobody asked it about.
func TestForcedPushTooLate(t *testing.T) {
	w := newWorld(t, "--bare")
	one := git(t, w.server, "rev-parse", "main")
	tree := git(t, w.server, "rev-parse", "main^{tree}")
	child := func(message, parent string) string {
		return git(t, w.server, "commit-tree", "-m", message, "-p", parent, tree)
	}
	old, moved, new := child("old", one), child("moved", one), child("new", one)
	git(t, w.server, "update-ref", "refs/heads/main", moved)
	if got := w.receive(t, command{old, new, "refs/heads/main"})[0]; got.reason != "" || got.done.ref != syncedRef || got.forced {
		t.Errorf("report %+v", got)
	}
	ahead := child("ahead", moved)
	if got := w.receive(t, command{old, ahead, "refs/heads/main"})[0]; got.done != (change{"refs/heads/main", moved, ahead}) || got.forced {
		t.Errorf("report %+v", got)
	}
	// Or it moves between the decision and the lock.
	git(t, w.server, "update-ref", "refs/heads/main", old)
	w.hook("update", `case $1 in refs/heads/*) git update-ref $1 `+moved+`;; esac`)
	if got := w.receive(t, command{old, new, "refs/heads/main"})[0]; got.done.ref != syncedRef || got.forced {
		t.Errorf("report %+v", got)
	}
	if now := git(t, w.server, "rev-parse", "main"); now != moved {
		t.Errorf("main is %s", now)
	}
}
