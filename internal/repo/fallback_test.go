package repo

import (
	"fmt"
	"strings"
	"testing"
)

// space is a ref in one of Alice's namespaces.
func space(number, name string) string { return "refs/synced/" + aliceUUID + number + "/" + name }

// A name that can't be beside another is put into the next namespace, and stays there.
func TestFallbackNamesInConflict(t *testing.T) {
	w := newWorld(t, "--bare")
	t.Setenv("TOY_INTEGRATE", IntegrateNone)
	commit(t, w.client, "two", "two")
	for _, step := range []struct{ branch, ref string }{
		{"a", space("", "a")},
		{"a/b", space(".1", "a/b")},
		{"a/b/c", space(".2", "a/b/c")},
		{"x/y", space("", "x/y")},
		{"x", space(".1", "x")},
		{"a/b", space(".1", "a/b")},
	} {
		w.mustPush([]string{"origin", "main:" + step.branch}, "main -> "+step.ref)
		w.is(step.ref, "main")
	}
	commit(t, w.client, "three", "three")
	w.mustPush([]string{"origin", "main:a/b", "main:x"}, "main -> "+space(".1", "a/b"), "main -> "+space(".1", "x"))
	w.is(space(".1", "a/b"), "main")
	w.is(space("", "x/y"), "main~1")

	w.mustPush([]string{"--atomic", "origin", "main:p", "main:p/q", "main:new"}, "main -> "+space("", "p"), "main -> "+space(".1", "p/q"))

	t.Setenv("TOY_INTEGRATE", IntegrateFF)
	w.mustPush([]string{"origin", "main:a/b"}, "[new branch] main -> a/b")
	w.is(space(".1", "a/b"), "")
	w.is(space("", "a"), "main~1")
	git(t, w.server, "branch", "x", "main")
	w.mustPush([]string{"origin", ":x"}, "[deleted] x")
	w.is(space(".1", "x"), "")
}

// There is an end to it, and then git says why.
func TestFallbackNamesWithoutEnd(t *testing.T) {
	w := newWorld(t, "--bare")
	for i := range maxNamespaces {
		number := fmt.Sprint(".", i)
		git(t, w.server, "update-ref", space(strings.TrimSuffix(number, ".0"), "a"), "main")
	}
	t.Setenv("TOY_INTEGRATE", IntegrateNone)
	out, status := w.push("origin", "main:a/b")
	w.says(out, "[remote rejected] main -> a/b", space("", "a")+"' exists")
	if status != 1 {
		t.Errorf("exit status %d", status)
	}
}

// A namespace may be spoilt by its owner's own doing.
func TestFallbackNamespaceIsARef(t *testing.T) {
	w := newWorld(t, "--bare")
	mine := "refs/synced/" + aliceUUID
	w.mustPush([]string{"origin", "main:" + mine})
	w.diverge()
	w.mustPush(toMain, "main -> "+space(".1", "main"))
	w.is(mine, "main~1")
	w.is(space(".1", "main"), "main")
}
