package repo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Many branches are created by few transactions, and one that can't be created is the only one that isn't.
func TestManyNewBranches(t *testing.T) {
	const few = 20 // in the last transaction, of which one fails
	w := newWorld(t, "--bare")
	one := git(t, w.server, "rev-parse", "main")
	tree := git(t, w.server, "rev-parse", "main^{tree}")
	two := git(t, w.server, "commit-tree", "-m", "two", "-p", one, tree)
	r := w.receiver(t)
	log := filepath.Join(t.TempDir(), "transactions")
	w.hook("reference-transaction", `[ "$1" != prepared ] || echo transaction >>`+log)
	r.hooks = t.TempDir() // that one counts, and has no say

	zero := zeroLike(one)
	commands := []command{{one, two, "refs/heads/main"}, {zero, one, "refs/tags/v1"}, {zero, tree, "refs/heads/tree"}, {zero, one, "refs/heads/main/below"}, {zero, one, "refs/heads/a..b"}}
	refused := map[string]string{"refs/heads/tree": "not a commit", "refs/heads/main/below": "'refs/heads/main'", "refs/heads/a..b": "funny refname"}
	for i := range maxCreatedTogether + few {
		commands = append(commands, command{zero, two, fmt.Sprintf("refs/heads/many/%d", i)})
	}
	commands[3], commands[len(commands)-few/2] = commands[len(commands)-few/2], commands[3]
	reports, err := r.run(t.Context(), request{commands: commands})
	if err != nil || len(reports) != len(commands) {
		t.Fatalf("%d reports for %d commands, %v", len(reports), len(commands), err)
	}
	for i, report := range reports {
		c := commands[i]
		why, ok := refused[c.ref]
		if report.ref != c.ref || (report.reason != "") != ok || !strings.Contains(report.reason, why) || report.fallThrough != strings.HasPrefix(c.ref, tagsPrefix) {
			t.Errorf("%v: %+v", c, report)
		}
	}
	if there := strings.Fields(git(t, w.server, "for-each-ref", "--format=%(objectname)", "refs/heads/")); len(there) != 1+maxCreatedTogether+few || slices.Contains(there, one) {
		t.Errorf("%d branches: %q", len(there), slices.Compact(there))
	}
	if n := strings.Count(readFile(t, log), "\n"); n < 2 || n > few+2 {
		t.Errorf("%d transactions", n)
	}

	writeFile(t, log, "", 0o600)
	commands = nil
	for i := range maxCreatedTogether + few {
		commands = append(commands, command{zero, two, fmt.Sprintf("refs/heads/more/%d", i)})
	}
	reports, err = r.run(t.Context(), request{commands: commands})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range commands {
		if reports[i].done != (change{c.ref, c.old, c.new}) || reports[i].reason != "" {
			t.Errorf("%v: %+v", c, reports[i])
		}
	}
	if n := strings.Count(readFile(t, log), "\n"); n != 2 {
		t.Errorf("%d transactions", n)
	}
}

// Hooks that have a say in each ref are asked about each by itself.
func TestNewBranchesAndHooks(t *testing.T) {
	log := filepath.Join(t.TempDir(), "asked")
	for name, script := range map[string]string{
		"update":                `echo "$1" >>` + log + `; [ "$1" != refs/heads/bad ]`,
		"reference-transaction": `[ "$1" = prepared ] || exit 0; refs=$(cut -d " " -f 3); echo $refs >>` + log + `; [ "$refs" != refs/heads/bad ]`,
	} {
		writeFile(t, log, "", 0o600)
		w := newWorld(t, "--bare")
		w.hook(name, script)
		out, status := w.push("origin", "main:a", "main:bad", "main:c")
		if status != 1 {
			t.Errorf("%s: exit status %d: %s", name, status, out)
		}
		w.says(out, "main -> a", "[remote rejected] main -> bad", "main -> c")
		w.is("refs/heads/a", "main")
		w.is("refs/heads/bad", "")
		w.is("refs/heads/c", "main")
		if asked := strings.Fields(readFile(t, log)); !slices.Equal(asked, []string{"refs/heads/a", "refs/heads/bad", "refs/heads/c"}) {
			t.Errorf("%s is asked about %q", name, asked)
		}
	}
}

func TestReportLines(t *testing.T) {
	c := command{zero40, idA, "refs/heads/main"}
	done := change{c.ref, c.old, c.new}
	for name, test := range map[string]struct {
		report report
		want   []string
	}{
		"as asked":      {report{ref: c.ref, done: done}, []string{"ok refs/heads/main"}},
		"forced":        {report{ref: c.ref, done: done, forced: true}, []string{"ok refs/heads/main", "option refname refs/heads/main", "option old-oid " + zero40, "option new-oid " + idA, "option forced-update"}},
		"another old":   {report{ref: c.ref, done: change{c.ref, idB, idA}}, []string{"ok refs/heads/main", "option refname refs/heads/main", "option old-oid " + idB, "option new-oid " + idA}},
		"another ref":   {report{ref: c.ref, done: change{"refs/x", zero40, idA}}, []string{"ok refs/heads/main", "option refname refs/x", "option old-oid " + zero40, "option new-oid " + idA}},
		"left to git":   {report{ref: c.ref, fallThrough: true}, []string{"ok refs/heads/main", "option fall-through"}},
		"refused":       {report{ref: c.ref, reason: "no\nway", done: done}, []string{"ng refs/heads/main no way"}},
		"somebody's":    {report{ref: c.ref, raw: []string{"ok x", "option y"}}, []string{"ok x", "option y"}},
		"nothing to do": {report{ref: c.ref, done: change{c.ref, idA, idA}}, []string{"ok refs/heads/main", "option refname refs/heads/main", "option old-oid " + idA, "option new-oid " + idA}},
	} {
		if got := test.report.lines(c); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
