package repo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// node is one of several repositories that push to each other what the other wants.
type node struct {
	*Repo
	path, uuid string
}

// network makes repositories with one common commit, and a branch main in each that is ahead of it by a commit: on a file of its own, or on the same one.
func network(t *testing.T, n int, conflict bool) []node {
	t.Helper()
	dir := isolate(t)
	seed := filepath.Join(dir, "seed")
	git(t, dir, "init", "-q", "-b", "main", seed)
	commit(t, seed, "one", "one")
	var nodes []node
	for i := range n {
		path := filepath.Join(dir, fmt.Sprint("node", i))
		git(t, dir, "clone", "-q", seed, path)
		git(t, path, "remote", "remove", "origin")
		file := "same"
		if !conflict {
			file = fmt.Sprint("file", i)
		}
		commit(t, path, file, fmt.Sprint(i))
		r, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		uuid, err := r.UUID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, node{r, path, uuid})
	}
	return nodes
}

// offer has one node push to another what that wants, and reports whether it was anything.
func (from node) offer(t *testing.T, to node, data string) bool {
	t.Helper()
	if err := to.TidyFallback(t.Context()); err != nil {
		t.Fatal(err)
	}
	tips, err := from.Tips(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := to.Wanted(t.Context(), from.uuid, nil, tips)
	if err != nil || len(wanted) == 0 {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	more := []string{"TOY_UUID=" + from.uuid, "TOY_INTEGRATE=" + IntegrateMerge, "TOY_MERGES="}
	if from.uuid < to.uuid { // of two one merges
		more[2] += "1"
	}
	pushed, err := from.Push(t.Context(), "xmpp::"+to.path, wanted, HooksDir(data), more...)
	if err != nil || len(pushed.Taken) != len(wanted) {
		t.Fatalf("of %v: %+v, error %v", wanted, pushed, err)
	}
	return true
}

// settle has linked nodes offer what they have until nobody wants anything.
func settle(t *testing.T, nodes []node, links [][2]int, data string) (pushes int) {
	t.Helper()
	for range 20 {
		before := pushes
		for _, l := range links {
			for _, pair := range [][2]int{{l[0], l[1]}, {l[1], l[0]}} {
				if nodes[pair[0]].offer(t, nodes[pair[1]], data) {
					pushes++
				}
			}
		}
		if pushes == before {
			return pushes
		}
	}
	t.Fatalf("after %d pushes there is no end", pushes)
	return pushes
}

// same checks that all nodes have one main, with all files in a clean work tree, and nothing left to merge.
func same(t *testing.T, nodes []node) {
	t.Helper()
	main, files := git(t, nodes[0].path, "rev-parse", "main"), git(t, nodes[0].path, "ls-files")
	for i, n := range nodes {
		if err := n.TidyFallback(t.Context()); err != nil {
			t.Error(err)
		}
		unmerged, err := n.Unmerged(t.Context())
		if git(t, n.path, "rev-parse", "main") != main || git(t, n.path, "ls-files") != files || git(t, n.path, "status", "--porcelain") != "" ||
			len(unmerged) > 0 || err != nil {
			t.Errorf("node %d isn't as node 0: unmerged are %+v, error %v\n%s", i, unmerged, err, git(t, n.path, "log", "--graph", "--oneline", "--all"))
		}
	}
}

// Whatever the shape, all get what any has, and then nobody pushes any more: what has diverged is merged once, and a conflict
// is in everybody's fallback refs until somebody resolves it.
func TestRepositoriesConverge(t *testing.T) {
	for name, links := range map[string][][2]int{
		"line": {{0, 1}, {1, 2}, {2, 3}},
		"star": {{0, 1}, {0, 2}, {0, 3}},
		"mesh": {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			nodes, data := network(t, 4, false), t.TempDir()
			(&world{t: t, server: nodes[0].path}).needsGit(2, 38)
			t.Logf("%d pushes", settle(t, nodes, links, data))
			same(t, nodes)
			if got := strings.Fields(git(t, nodes[0].path, "ls-files")); !slices.Equal(got, []string{"file0", "file1", "file2", "file3", "one"}) {
				t.Errorf("there are %v", got)
			}
		})
		t.Run(name+", conflict", func(t *testing.T) {
			nodes, data := network(t, 4, true), t.TempDir()
			var ids []string
			for _, n := range nodes {
				ids = append(ids, git(t, n.path, "rev-parse", "main"))
			}
			t.Logf("%d pushes", settle(t, nodes, links, data))
			for i, n := range nodes {
				if lacks, err := n.Lacks(t.Context(), ids); lacks || err != nil {
					t.Errorf("node %d lacks commits, error %v:\n%s", i, err, git(t, n.path, "for-each-ref"))
				}
				if unmerged, err := n.Unmerged(t.Context()); len(unmerged) == 0 || err != nil || git(t, n.path, "rev-parse", "main") != ids[i] {
					t.Errorf("node %d has %+v, error %v", i, unmerged, err)
				}
			}
			git(t, nodes[3].path, append([]string{"merge", "-q", "--no-edit", "-s", "ours"}, ids[:3]...)...)
			t.Logf("%d pushes", settle(t, nodes, links, data))
			same(t, nodes)
		})
	}
}
