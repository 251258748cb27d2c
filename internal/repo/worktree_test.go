package repo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A checked-out branch is left alone for a reason, which the pusher is told.
func TestCheckedOutBranchLeftAlone(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(t *testing.T, w *world)
		say     string
	}{
		"changed file": {func(t *testing.T, w *world) {
			writeFile(t, w.server+"/one", "edited", 0o644)
		}, "with changes in a work tree there"},
		"changed index": {func(t *testing.T, w *world) {
			writeFile(t, w.server+"/new", "staged", 0o644)
			git(t, w.server, "add", "new")
		}, "with changes in a work tree there"},
		"untracked file in the way": {func(t *testing.T, w *world) {
			writeFile(t, w.server+"/two", "mine", 0o644)
		}, "in the way"},
		"refuse": {func(t *testing.T, w *world) {
			git(t, w.server, "config", "receive.denyCurrentBranch", "refuse")
		}, "denyCurrentBranch"},
		"merge": {func(t *testing.T, w *world) {
			writeFile(t, w.server+"/.git/MERGE_HEAD", git(t, w.server, "rev-parse", "main")+"\n", 0o644)
		}, "in the middle of a merge"},
		"rebase": {func(t *testing.T, w *world) {
			git(t, w.server, "checkout", "-q", "--detach")
			writeFile(t, w.server+"/.git/rebase-merge/head-name", "refs/heads/main\n", 0o644)
		}, "in the middle of a rebase"},
		"hook declines": {func(t *testing.T, w *world) {
			w.hook(pushToCheckout, "echo not now; exit 1")
		}, "could not be brought along"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.prepare(t, w)
			before := git(t, w.server, "status", "--porcelain")
			commit(t, w.client, "two", "two")
			out, status := w.push(toMain...)
			if status != 0 {
				t.Errorf("exit status %d", status)
			}
			w.says(out, "remote: main is checked out", test.say,
				"left as it was; your commits are in "+syncedRef, "[new reference] main -> "+syncedRef)
			if strings.Contains(out, "remote: error") || strings.Contains(strings.ReplaceAll(out, "To toy::"+w.server, ""), w.server) {
				t.Errorf("more is said than should be:\n%s", out)
			}
			w.is("refs/heads/main", "main~1")
			w.is(syncedRef, "main")
			if after := git(t, w.server, "status", "--porcelain"); after != before {
				t.Errorf("the work tree has changed:\n%s", after)
			}
		})
	}
}

// Once nothing is in the way any more, the same push gets through.
func TestDirtyThenClean(t *testing.T) {
	w := newWorld(t)
	writeFile(t, w.server+"/one", "edited", 0o644)
	commit(t, w.client, "two", "two")
	w.mustPush(toMain, "[new reference]")
	git(t, w.server, "checkout", "-q", "one")
	commit(t, w.client, "three", "three")
	w.mustPush(toMain, "main -> main")
	w.is(syncedRef, "")
	if git(t, w.server, "status", "--porcelain") != "" || readFile(t, w.server+"/three") != "three" {
		t.Error("the work tree isn't up to date and clean")
	}
}

func TestUntrackedFilesElsewhereAreKept(t *testing.T) {
	w := newWorld(t)
	writeFile(t, w.server+"/notes", "mine", 0o644)
	commit(t, w.client, "two", "two")
	w.mustPush(toMain, "main -> main")
	if readFile(t, w.server+"/notes") != "mine" || readFile(t, w.server+"/two") != "two" {
		t.Error("the work tree isn't as it should be")
	}
}

func TestDenyCurrentBranchIgnored(t *testing.T) {
	for _, value := range []string{"ignore", "warn"} {
		t.Run(value, func(t *testing.T) {
			w := newWorld(t)
			git(t, w.server, "config", "receive.denyCurrentBranch", value)
			commit(t, w.client, "two", "two")
			out, _ := w.push(toMain...)
			if got := strings.Contains(out, "remote: warning: updating the current branch"); got != (value == "warn") {
				t.Errorf("warned: %v\n%s", got, out)
			}
			w.is("refs/heads/main", "main")
			if _, err := os.Stat(w.server + "/two"); err == nil {
				t.Error("the work tree was touched")
			}
		})
	}
}

func TestUnbornBranch(t *testing.T) {
	dir := isolate(t)
	w := &world{t: t, server: filepath.Join(dir, "server"), client: filepath.Join(dir, "client")}
	git(t, dir, "init", "-q", "-b", "main", w.server)
	git(t, dir, "init", "-q", "-b", "main", w.client)
	git(t, w.client, "remote", "add", "origin", "toy::"+w.server)
	commit(t, w.client, "one", "one")
	w.mustPush(toMain, "[new branch] main -> main")
	w.is("HEAD", "main")
	if git(t, w.server, "status", "--porcelain") != "" || readFile(t, w.server+"/one") != "one" {
		t.Error("the work tree isn't up to date and clean")
	}
}

func TestUnbornBranchWithFileInTheWay(t *testing.T) {
	dir := isolate(t)
	w := &world{t: t, server: filepath.Join(dir, "server"), client: filepath.Join(dir, "client")}
	git(t, dir, "init", "-q", "-b", "main", w.server)
	git(t, dir, "init", "-q", "-b", "main", w.client)
	git(t, w.client, "remote", "add", "origin", "toy::"+w.server)
	writeFile(t, w.server+"/one", "mine", 0o644)
	commit(t, w.client, "one", "one")
	w.mustPush(toMain, "[new reference] main -> "+syncedRef)
	w.is("refs/heads/main", "")
	if readFile(t, w.server+"/one") != "mine" {
		t.Error("an untracked file was overwritten")
	}
}

func TestLinkedWorkTree(t *testing.T) {
	for name, initArgs := range map[string][]string{"of a work tree": nil, "of a bare repository": {"--bare"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, initArgs...)
			linked := filepath.Join(t.TempDir(), "linked tree")
			git(t, w.server, "worktree", "add", "-q", "-b", "topic", linked, "main")
			git(t, w.client, "checkout", "-q", "-b", "topic")
			commit(t, w.client, "two", "two")
			w.mustPush([]string{"origin", "topic"}, "topic -> topic")
			if git(t, linked, "status", "--porcelain") != "" || readFile(t, linked+"/two") != "two" {
				t.Error("the linked work tree isn't up to date and clean")
			}
			writeFile(t, linked+"/two", "edited", 0o644)
			commit(t, w.client, "three", "three")
			w.mustPush([]string{"origin", "topic"}, "remote: topic is checked out with changes", "[new reference] topic -> ")
			w.is("refs/heads/topic", "topic~1")
			out, status := w.push("--delete", "origin", "topic")
			if status != 1 {
				t.Errorf("exit status %d", status)
			}
			w.says(out, "deletion of the current branch prohibited")

			w.needsGit(2, 31)                            // an older one doesn't tell
			if err := os.RemoveAll(linked); err != nil { // its owner has thrown it away
				t.Fatal(err)
			}
			w.mustPush([]string{"origin", "topic"}, "topic -> topic")
			w.is("refs/heads/topic", "topic")
		})
	}
}

func TestPushToCheckoutHook(t *testing.T) {
	w := newWorld(t)
	writeFile(t, w.server+"/one", "edited", 0o644)
	w.hook(pushToCheckout, `echo "hook for $1 from $GIT_XMPP_PEER_LABEL"; cd "$GIT_WORK_TREE" && git read-tree --reset -u "$1"`)
	commit(t, w.client, "two", "two")
	w.mustPush(toMain, "remote: hook for "+git(t, w.client, "rev-parse", "main")+" from alice", "main -> main")
	w.is("refs/heads/main", "main")
	if git(t, w.server, "status", "--porcelain") != "" || readFile(t, w.server+"/one") != "one" {
		t.Error("the work tree isn't what the hook makes of it")
	}
}

// Without core.worktree nobody can tell where the work tree is.
func TestWorkTreeElsewhere(t *testing.T) {
	dir := isolate(t)
	w := &world{t: t, server: filepath.Join(dir, "server.git"), client: filepath.Join(dir, "client")}
	tree := filepath.Join(dir, "tree")
	git(t, dir, "init", "-q", "-b", "main", "--separate-git-dir="+w.server, tree)
	git(t, dir, "init", "-q", "-b", "main", w.client)
	git(t, w.client, "remote", "add", "origin", "toy::"+tree)
	commit(t, w.client, "one", "one")
	w.mustPush(toMain, "in a work tree there that can't be found", "[new reference] main -> "+syncedRef)
	git(t, tree, "config", "core.worktree", "../tree")
	commit(t, w.client, "two", "two")
	w.mustPush(toMain, "[new branch] main -> main")
	if git(t, tree, "status", "--porcelain") != "" || readFile(t, tree+"/two") != "two" {
		t.Error("the work tree isn't up to date and clean")
	}
}
