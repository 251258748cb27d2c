package repo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// merging is a world with xmpp.integrate=merge, and a commit on main on either side.
func merging(t *testing.T, initArgs ...string) *world {
	t.Helper()
	w := newWorld(t, initArgs...)
	w.needsGit(2, 38)
	t.Setenv("TOY_INTEGRATE", IntegrateMerge)
	w.diverge()
	return w
}

// mergedOnServer checks that the server's main is a merge of two commits.
func (w *world) mergedOnServer(ours, theirs string) {
	w.t.Helper()
	if got := git(w.t, w.server, "rev-parse", "main^1", "main^2"); got != ours+"\n"+theirs {
		w.t.Errorf("main has the parents\n%s\nwant\n%s\n%s", got, ours, theirs)
	}
}

func TestMergeDiverged(t *testing.T) {
	for name, args := range kinds {
		t.Run(name, func(t *testing.T) {
			w := merging(t, args...)
			ours, theirs := git(t, w.server, "rev-parse", "main"), git(t, w.client, "rev-parse", "main")
			out, status := w.push(toMain...)
			if status != 0 || strings.Contains(out, "error") {
				t.Errorf("exit status %d", status)
			}
			merge := git(t, w.server, "rev-parse", "main")
			w.says(out, "remote: main: merged with what was there as "+merge[:10]+"; git pull brings it", ours[:7]+".."+theirs[:7]+" main -> main")
			w.mergedOnServer(ours, theirs)
			w.is(syncedRef, "")
			if !w.bare() {
				if s := git(t, w.server, "status", "--porcelain"); s != "" || readFile(t, w.server+"/ours") != "ours" || readFile(t, w.server+"/theirs") != "theirs" {
					t.Errorf("the work tree wasn't brought along\n%s", s)
				}
			}
			w.mustPush(toMain, "remote: main has your commits already", theirs[:7]+".."+theirs[:7]+" main -> main")
			git(t, w.client, "pull", "-q", "--ff-only", "origin", "main")
			w.is("refs/heads/main", "main")
			w.mustPush(toMain, "Everything up-to-date")
			git(t, w.server, "fsck", "--strict")
			git(t, w.client, "fsck", "--strict")
		})
	}
}

// A merge says who pushed, and that it was made here.
func TestMergeNamesTheSender(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config           [][2]string
		label            string
		author, comitter string
	}{
		"identity of the owner": {nil, "alice", "alice <alice@example.org>", "Owner <owner@example.net>"},
		"account": {
			[][2]string{{"user.useConfigOnly", "true"}, {"xmpp.account", "bob@example.org"}}, "alice",
			"alice <alice@example.org>", "git-remote-xmpp <bob@example.org>",
		},
		"nobody": {
			[][2]string{{"user.useConfigOnly", "true"}}, "alice",
			"alice <alice@example.org>", "git-remote-xmpp <git@" + host + ">",
		},
		"nothing of a label": {nil, "<.>", "alice@example.org <alice@example.org>", "Owner <owner@example.net>"},
		"no label":           {nil, "", "alice@example.org <alice@example.org>", "Owner <owner@example.net>"},
	} {
		t.Run(name, func(t *testing.T) {
			w := merging(t, "--bare")
			t.Setenv("TOY_LABEL", test.label)
			if test.config != nil {
				writeFile(t, filepath.Join(os.Getenv("HOME"), ".gitconfig"), "", 0o644)
			}
			for _, kv := range test.config {
				git(t, w.server, "config", kv[0], kv[1])
			}
			w.mustPush(toMain, "main -> main")
			if got := git(t, w.server, "log", "-1", "--format=%an <%ae>%n%cn <%ce>", "main"); got != test.author+"\n"+test.comitter {
				t.Errorf("author and committer are\n%s", got)
			}
			want := "Merge branch 'main' of alice@example.org\n\nXmpp-Peer-Label: " + test.label + "\nXmpp-Peer-JID: " + testJID +
				"\nXmpp-Peer-UUID: " + aliceUUID + "\nXmpp-Peer-Key: " + testKey
			if test.label == "" {
				want = strings.Replace(want, "Xmpp-Peer-Label: \n", "", 1)
			}
			if got := git(t, w.server, "log", "-1", "--format=%B", "main"); got != want {
				t.Errorf("the message is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestMergeConflict(t *testing.T) {
	w := merging(t)
	for _, dir := range []string{w.server, w.client} {
		for _, file := range []string{"a.txt", "b \"x\".txt"} {
			commit(t, dir, file, dir)
		}
	}
	before := git(t, w.server, "rev-parse", "main")
	w.mustPush(toMain, `remote: main has a conflict in a.txt, "b \"x\".txt": left as it was; your commits are in `+syncedRef, "[new reference] main -> "+syncedRef)
	w.is(syncedRef, "main")
	if git(t, w.server, "rev-parse", "main") != before || git(t, w.server, "status", "--porcelain") != "" {
		t.Error("main was touched")
	}
	git(t, w.client, "pull", "-q", "--no-rebase", "--no-edit", "-s", "ours", "origin", "main")
	w.mustPush(toMain, "main -> main")
	w.is("refs/heads/main", "main")
	w.is(syncedRef, "")
}

func TestMergeUnrelated(t *testing.T) {
	w := merging(t, "--bare")
	before := git(t, w.server, "rev-parse", "main")
	git(t, w.client, "checkout", "-q", "--orphan", "other")
	git(t, w.client, "commit", "-q", "-m", "other")
	w.mustPush([]string{"origin", "other:main"}, "remote: main has no history in common with your commits: left as it was", "other -> "+syncedRef)
	w.is(syncedRef, "other")
	if git(t, w.server, "rev-parse", "main") != before {
		t.Error("main was moved")
	}
}

func TestMergeLeftAside(t *testing.T) {
	w := merging(t)
	writeFile(t, w.server+"/one", "edited", 0o644)
	before := git(t, w.server, "rev-parse", "main")
	w.mustPush(toMain, "remote: main is checked out with changes in a work tree there: left as it was", "main -> "+syncedRef)
	w.is(syncedRef, "main")
	if git(t, w.server, "rev-parse", "main") != before || readFile(t, w.server+"/one") != "edited" {
		t.Error("main was touched")
	}
}

func TestMergeHooks(t *testing.T) {
	w := merging(t, "--bare")
	old, pushed := git(t, w.server, "rev-parse", "main"), git(t, w.client, "rev-parse", "main")
	w.hook("update", `echo "update $1 $2"; git log -1 --format='its merge of %P' $3`)
	w.hook("post-receive", `while read old new ref; do echo "post $old $(git log -1 --format=%P $new) $ref"; done; cat`)
	w.mustPush(toMain, "remote: update refs/heads/main "+old, "remote: its merge of "+old+" "+pushed, "remote: post "+old+" "+old+" "+pushed+" refs/heads/main")
	out, _ := w.push(toMain...)
	if strings.Contains(out, "remote: post") || strings.Contains(out, "remote: update") {
		t.Errorf("hooks run though nothing changes:\n%s", out)
	}

	commit(t, w.client, "more", "more")
	w.hook("update", "exit 1")
	before := git(t, w.server, "rev-parse", "main")
	out, status := w.push(toMain...)
	w.says(out, "remote: error: hook declined to update refs/heads/main", "hook declined")
	if status != 1 || git(t, w.server, "rev-parse", "main") != before {
		t.Errorf("exit status %d", status)
	}
}

func TestMergeAtomic(t *testing.T) {
	w := merging(t)
	ours, theirs := git(t, w.server, "rev-parse", "main"), git(t, w.client, "rev-parse", "main")
	w.hook("update", "[ $1 != refs/heads/bad ]")
	out, status := w.push("--atomic", "origin", "main", "main:bad")
	w.says(out, "hook declined", reasonAtomic)
	if status != 1 || git(t, w.server, "rev-parse", "main") != ours {
		t.Errorf("exit status %d", status)
	}
	git(t, w.client, "tag", "v1")
	w.mustPush([]string{"--atomic", "origin", "main", "main:good", "v1"}, "remote: main: merged", "main -> good", "v1 -> v1")
	w.mergedOnServer(ours, theirs)
	w.is("refs/heads/good", "main")
	w.is("refs/tags/v1", "v1")
}

// Who goes on without a fetch is merged again, and nothing twice.
func TestMergeAgain(t *testing.T) {
	w := merging(t, "--bare")
	w.mustPush(toMain, "remote: main: merged")
	first := git(t, w.server, "rev-parse", "main")
	commit(t, w.client, "more", "more")
	w.mustPush(toMain, "remote: main: merged")
	w.mergedOnServer(first, git(t, w.client, "rev-parse", "main"))
	second := git(t, w.server, "rev-parse", "main")
	for range 2 {
		w.mustPush(toMain, "main has your commits already")
	}
	if git(t, w.server, "rev-parse", "main") != second {
		t.Error("merged once more")
	}
}

// When somebody is faster the merge is made again, with what is there then.
func TestMergeMovesMeanwhile(t *testing.T) {
	w := merging(t, "--bare")
	tree := git(t, w.server, "rev-parse", "main^{tree}")
	moved := git(t, w.server, "commit-tree", "-m", "moved", "-p", "main", tree)
	w.hook("update", "test -e seen || { touch seen; git update-ref refs/heads/main "+moved+"; }")
	w.mustPush(toMain, "remote: main: merged")
	w.mergedOnServer(moved, git(t, w.client, "rev-parse", "main"))
}

// Of two that push to each other only one merges; the other still goes forward.
func TestMergeIsTheSenders(t *testing.T) {
	w := merging(t)
	t.Setenv("TOY_MERGES", "1")
	before := git(t, w.server, "rev-parse", "main")
	w.mustPush(toMain, "* [new reference] main -> "+syncedRef)
	w.is(syncedRef, "main")
	if git(t, w.server, "rev-parse", "main") != before {
		t.Error("main was moved")
	}
	git(t, w.client, "pull", "-q", "--no-rebase", "--no-edit", "origin", "main")
	w.mustPush(toMain, "main -> main")
	w.is("refs/heads/main", "main")
	w.is(syncedRef, "")
}

// A git that has no merge-tree that writes a tree answers with its usage.
func TestMergeByOldGit(t *testing.T) {
	w := newWorld(t, "--bare")
	tree := git(t, w.server, "rev-parse", "main^{tree}")
	pushed := git(t, w.server, "commit-tree", "-m", "pushed", "-p", "main", tree)
	w.commitOnServer("theirs")
	before := git(t, w.server, "rev-parse", "main")
	bin := t.TempDir()
	writeFile(t, filepath.Join(bin, "git"), `#!/bin/sh
PATH=${PATH#*:}
for a; do test "$a" != merge-tree || exit 129; done
exec git "$@"
`, 0o755)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	r, said := w.receiver(t), new(strings.Builder)
	r.integrate, r.stderr = IntegrateMerge, said
	reports, err := r.run(t.Context(), request{commands: []command{{zeroLike(pushed), pushed, "refs/heads/main"}}})
	if err != nil || reports[0].done.ref != syncedRef {
		t.Errorf("reports %+v, error %v", reports, err)
	}
	w.says(said.String(), "main can't be merged by the git there, which is older than 2.38: left as it was")
	if git(t, w.server, "rev-parse", "main") != before || git(t, w.server, "rev-parse", syncedRef) != pushed {
		t.Error("main was moved, or the fallback ref isn't what was pushed")
	}
}

// What a branch has already needs no fallback ref, whatever the policy.
func TestPushOfWhatIsThere(t *testing.T) {
	for _, integrate := range []string{IntegrateFF, IntegrateMerge, IntegrateNone} {
		t.Run(integrate, func(t *testing.T) {
			w := newWorld(t)
			t.Setenv("TOY_INTEGRATE", integrate)
			commit(t, w.client, "two", "two")
			git(t, w.server, "pull", "-q", w.client, "main") // the owner takes it by another way
			w.commitOnServer("three")
			before := git(t, w.server, "rev-parse", "main")
			git(t, w.server, "update-ref", syncedRef, "main~1")
			two := short(w, w.client, "main")
			w.mustPush(toMain, "remote: main has your commits already", two+".."+two+" main -> main")
			if git(t, w.server, "rev-parse", "main") != before || git(t, w.server, "for-each-ref", "refs/synced") != "" {
				t.Error("something was changed but for the fallback ref")
			}
			git(t, w.client, "fetch", "-q")
			if git(t, w.client, "rev-parse", "origin/main") != before {
				t.Error("the next fetch doesn't show it")
			}
		})
	}
}

func TestNameList(t *testing.T) {
	many := make([]string, 30)
	for i := range many {
		many[i] = strings.Repeat("x", i+1)
	}
	for want, names := range map[string][]string{
		"a":                                      {"a"},
		`a b, "c\n", "\xff"`:                     {"a b", "c\n", "\xff"},
		"ü/ö, z":                                 {"ü/ö", "z"},
		strings.Repeat("y", 600) + " and 1 more": {strings.Repeat("y", 600), "z"},
		strings.Join(many[:maxConflictNames], ", ") + " and 20 more": many,
	} {
		if got := nameList(names); got != want {
			t.Errorf("%q: %s, want %s", names, got, want)
		}
	}
}
