package repo

import (
	"testing"
)

func TestAtomicOneBad(t *testing.T) {
	for name, test := range map[string]struct {
		hook, script string
		refs         []string
		say          string
	}{
		"update hook refuses one":       {"update", `[ "$1" != refs/heads/bad ]`, []string{"main", "main:bad", "v1"}, "hook declined"},
		"update hook refuses a tag":     {"update", `[ "$1" != refs/tags/v1 ]`, []string{"main", "v1"}, "hook declined"},
		"names in conflict":             {"", "", []string{"main", "main:main/sub", "v1"}, "refs/heads/main"},
		"transaction refused by a hook": {"reference-transaction", `[ "$1" != prepared ] || ! grep -q refs/heads/bad`, []string{"main", "main:bad"}, "rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if test.hook != "" {
				w.hook(test.hook, test.script)
			}
			git(t, w.client, "tag", "v1")
			commit(t, w.client, "two", "two")
			out, status := w.push(append([]string{"--atomic", "origin"}, test.refs...)...)
			if status != 1 {
				t.Errorf("exit status %d", status)
			}
			w.says(out, test.say)
			w.is("refs/heads/main", "main~1")
			w.is("refs/heads/bad", "")
			w.is("refs/tags/v1", "")
			if s := git(t, w.server, "status", "--porcelain"); s != "" {
				t.Errorf("the work tree isn't as before:\n%s", s)
			}
		})
	}
}

func TestAtomicAllGood(t *testing.T) {
	w := newWorld(t)
	w.mustPush([]string{"origin", "main:gone"})
	w.diverge()
	git(t, w.client, "tag", "v1")
	w.mustPush([]string{"--atomic", "origin", "main", "main:topic", "v1", ":gone"},
		"[new reference] main -> "+syncedRef, "[new branch] main -> topic", "[new tag] v1 -> v1", "[deleted] gone")
	w.is(syncedRef, "main")
	w.is("refs/heads/topic", "main")
	w.is("refs/tags/v1", "v1")
	w.is("refs/heads/gone", "")
}

// When the refs can't be moved in the end, the work trees go back.
func TestWorkTreeRolledBack(t *testing.T) {
	w := newWorld(t)
	commit(t, w.client, "two", "two")
	git(t, w.client, "rm", "-q", "one")
	commit(t, w.client, "three", "three")
	git(t, w.server, "fetch", "-q", w.client, "main")
	new, old := git(t, w.client, "rev-parse", "main"), git(t, w.server, "rev-parse", "main")

	r := w.receiver(t)
	c := command{old, new, "refs/heads/main"}
	if err := r.load(t.Context(), []command{c}); err != nil {
		t.Fatal(err)
	}
	p, err := r.plan(t.Context(), c)
	if err != nil || len(p.trees) != 1 {
		t.Fatalf("plan %+v, error %v", p, err)
	}
	undo, err := r.checkOutAll(t.Context(), []*plan{p})
	if err != nil {
		t.Fatal(err)
	}
	if readFile(t, w.server+"/three") != "three" {
		t.Error("the work tree wasn't brought along")
	}
	undo()
	if s := git(t, w.server, "status", "--porcelain"); s != "" || readFile(t, w.server+"/one") != "one" {
		t.Errorf("the work tree isn't as before:\n%s", s)
	}
}
