package repo

import (
	"strings"
	"testing"
)

func TestLacks(t *testing.T) {
	w := newWorld(t)
	one := git(t, w.server, "rev-parse", "main")
	tree := git(t, w.server, "rev-parse", "main^{tree}")
	reached := git(t, w.server, "commit-tree", "-m", "reached", "-p", one, tree)
	git(t, w.server, "update-ref", "refs/synced/x/main", reached)
	loose := git(t, w.server, "commit-tree", "-m", "loose", "-p", one, tree)
	r, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		commits []string
		want    bool
	}{
		"none":               {nil, false},
		"a branch":           {[]string{one}, false},
		"the same twice":     {[]string{one, one, reached}, false},
		"another ref":        {[]string{reached}, false},
		"there, not reached": {[]string{one, loose}, true},
		"not there":          {[]string{one, strings.Repeat("a", 40)}, true},
		"of another format":  {[]string{strings.Repeat("a", 64)}, true},
	} {
		if got, err := r.Lacks(t.Context(), test.commits); err != nil || got != test.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
