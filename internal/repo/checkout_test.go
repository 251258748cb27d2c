package repo

import "testing"

// What the owner saves between the checks and the checkout stays: the branch is left alone then.
func TestEditDuringPushIsKept(t *testing.T) {
	for name, hook := range map[string]string{
		"changed":           "echo mine >one",
		"another file, too": "echo mine >one; echo mine >other",
		"index locked":      "echo mine >other; cp .git/index .git/index.lock",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.needsGit(2, 34) // an older one doesn't lock the refs first
			commit(t, w.client, "other", "other")
			w.mustPush(toMain, "main -> main")
			// Refs are prepared after the checks. The first hook only: what follows is the fallback.
			w.hook("reference-transaction", "cd "+w.server+"; test $1 = prepared || exit 0; test -e .git/seen || { touch .git/seen; "+hook+"; }")
			commit(t, w.client, "one", "changed")
			w.mustPush(toMain, "[new reference] main -> "+syncedRef)
			w.is("refs/heads/main", "main~1")
			for _, file := range []string{"one", "other"} {
				want := map[bool]string{true: "mine\n", false: file}
				edited := file == "one" && name != "index locked" || file == "other" && name != "changed"
				if got := readFile(t, w.server+"/"+file); got != want[edited] {
					t.Errorf("%s holds %q, want %q", file, got, want[edited])
				}
			}
		})
	}
}
