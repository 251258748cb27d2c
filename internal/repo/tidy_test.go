package repo

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// tidied opens the served repository and tidies it.
func (w *world) tidied() *Repo {
	w.t.Helper()
	r, err := Open(w.t.Context(), w.server)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := r.TidyFallback(w.t.Context()); err != nil {
		w.t.Error(err)
	}
	return r
}

// synced lists the server's fallback refs.
func (w *world) synced() string {
	w.t.Helper()
	return git(w.t, w.server, "for-each-ref", "--format=%(refname)", "refs/synced")
}

// What the owner has merged by hand is tidied away, whoever pushed it; the rest stays.
func TestTidyFallback(t *testing.T) {
	w := newWorld(t)
	w.diverge()
	w.mustPush(toMain, "main -> "+syncedRef)
	t.Setenv("TOY_UUID", otherUUID)
	commit(t, w.client, "more", "more")
	w.mustPush(toMain, "main -> refs/synced/"+otherUUID+"/main")
	others := "refs/synced/" + otherUUID
	blob := git(t, w.server, "hash-object", "-w", "one")
	git(t, w.server, "branch", "topic", "main~1")
	for ref, value := range map[string]string{
		others + ".3/main":  "main",  // merged, in another namespace
		others + "/none":    "main",  // a branch that isn't there
		others + "/a/main":  "main",  // another branch
		others + ".1/topic": "topic", // merged
		others + ".2/main":  blob,    // nothing to merge

		others + "/" + aliceUUID + "/topic":       "topic", // a record, merged
		others + ".3/" + aliceUUID + "/a/topic":   "topic", // one of another branch
		others + "/" + aliceUUID + "/less/main":   "main",  // of branches that aren't there
		others + "/" + aliceUUID + "/topic2/main": "topic",
		"refs/synced/odd":                         "main",
	} {
		git(t, w.server, "update-ref", ref, value)
	}
	git(t, w.server, "symbolic-ref", others+".4/main", "refs/heads/main")
	kept := others + ".2/main\n" + others + ".3/" + aliceUUID + "/a/topic\n" +
		others + "/" + aliceUUID + "/less/main\n" + others + "/" + aliceUUID + "/topic2/main\n" + others + "/a/main\n"

	w.tidied()
	if got := w.synced(); got != syncedRef+"\n"+kept+others+"/main\n"+others+"/none\nrefs/synced/odd" {
		t.Errorf("before a merge there are\n%s", got)
	}
	git(t, w.server, "merge", "-q", "--no-edit", syncedRef)
	w.tidied()
	if got := w.synced(); got != kept+others+"/main\n"+others+"/none\nrefs/synced/odd" {
		t.Errorf("after a merge of the first there are\n%s", got)
	}
	git(t, w.server, "merge", "-q", "--no-edit", others+"/main")
	w.tidied()
	if got := w.synced(); got != kept+others+"/none\nrefs/synced/odd" {
		t.Errorf("after a merge of the second there are\n%s", got)
	}
	if git(t, w.server, "for-each-ref", "--format=%(refname)", "refs/heads") != "refs/heads/main\nrefs/heads/topic" {
		t.Error("branches were touched")
	}
}

// A push that moves a fallback ref while it is tidied away wins, and the other way round nothing is refused.
func TestTidyFallbackDuringPush(t *testing.T) {
	w := newWorld(t, "--bare")
	tree := git(t, w.server, "rev-parse", "main^{tree}")
	pushed := git(t, w.server, "commit-tree", "-m", "pushed", tree)
	r := w.tidied()
	decided := bytes.NewBufferString("delete " + syncedRef + "\x00" + git(t, w.server, "rev-parse", "main") + "\x00")
	git(t, w.server, "update-ref", syncedRef, pushed)
	if err := r.updateRefs(t.Context(), decided); err == nil {
		t.Error("nobody hears of it")
	}
	if got := git(t, w.server, "rev-parse", syncedRef); got != pushed {
		t.Errorf("%s is %s", syncedRef, got)
	}

	git(t, w.server, "update-ref", syncedRef, "main")
	w.commitOnServer("theirs")
	commit(t, w.client, "ours", "ours")
	w.hook("update", "git update-ref -d "+syncedRef) // tidying, after the push has decided
	w.mustPush(toMain, "main -> "+syncedRef)
	w.is(syncedRef, "main")
}

// It costs a process if there is nothing, and a bounded number of them otherwise.
func TestTidyFallbackIsCheap(t *testing.T) {
	w := newWorld(t, "--bare")
	r := w.tidied()
	trace := filepath.Join(t.TempDir(), "trace")
	t.Setenv("GIT_TRACE", trace)
	runs := func() int {
		t.Helper()
		writeFile(t, trace, "", 0o644)
		r.env = append(r.env, "GIT_TRACE="+trace)
		if err := r.TidyFallback(t.Context()); err != nil {
			t.Error(err)
		}
		return strings.Count(readFile(t, trace), "trace: built-in: git")
	}
	if n := runs(); n != 1 {
		t.Errorf("%d processes for nothing", n)
	}
	var refs strings.Builder
	one := git(t, w.server, "rev-parse", "main")
	for i := range 5 * maxTidyBranches {
		fmt.Fprintf(&refs, "%s refs/heads/b%d\n%s refs/synced/%s/b%d\n", one, i, one, otherUUID, i)
	}
	writeFile(t, w.server+"/packed-refs", refs.String(), 0o644)
	for range 5 {
		if n := runs(); n > maxTidyBranches+4 {
			t.Errorf("%d processes", n)
		}
	}
	if got := w.synced(); got != "" {
		t.Errorf("left are\n%s", got)
	}
}
