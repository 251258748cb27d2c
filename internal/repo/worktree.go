package repo

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// workTree is a work tree of the repository that a branch is checked out in.
type workTree struct {
	path   string // "" if it can't be found
	gitDir string // its own: HEAD and index are in it
	branch string // full ref name
	// busy says in what the tree is in the middle of, "" if in nothing.
	busy string
}

// checkedOut returns the work trees that a branch is checked out in.
func (r *receiver) checkedOut(ctx context.Context, ref string) ([]workTree, error) {
	if !r.loaded {
		trees, err := r.repo.workTrees(ctx)
		if err != nil {
			return nil, err
		}
		r.trees, r.loaded = trees, true
	}
	var on []workTree
	for _, t := range r.trees {
		if t.branch == ref {
			on = append(on, t)
		}
	}
	return on, nil
}

// isCurrent reports whether a branch is checked out, or what HEAD of a bare
// repository names.
func (r *receiver) isCurrent(ctx context.Context, ref string) (bool, error) {
	trees, err := r.checkedOut(ctx, ref)
	if err != nil || len(trees) > 0 {
		return true, err
	}
	head, err := r.repo.git(ctx, nil, "symbolic-ref", "-q", "HEAD")
	if exitStatus(err) == 1 {
		return false, nil // detached
	}
	return strings.TrimSpace(head) == ref, err
}

// workTrees returns the work trees that are on a branch or rebase one.
func (r *Repo) workTrees(ctx context.Context) ([]workTree, error) {
	out, err := r.git(ctx, nil, "worktree", "list", "--porcelain", "-z")
	if exitStatus(err) == 129 { // before git 2.36 there was no -z
		out, err = r.git(ctx, nil, "worktree", "list", "--porcelain")
		out = strings.ReplaceAll(out, "\n", "\x00")
	}
	if err != nil {
		return nil, err
	}
	var trees []workTree
	for i, record := range strings.Split(strings.Trim(out, "\x00"), "\x00\x00") {
		t := parseWorkTree(record)
		if t == nil {
			continue
		}
		if i == 0 { // git lists the main work tree first
			err = r.locateMain(ctx, t)
		} else {
			err = r.locateLinked(ctx, t)
		}
		if err != nil {
			return nil, err
		}
		t.inspect()
		if t.branch != "" {
			trees = append(trees, *t)
		}
	}
	return trees, nil
}

// parseWorkTree reads one record of `git worktree list`: attributes, each with
// its value behind a space. It returns nil if there is no work tree to speak of.
func parseWorkTree(record string) *workTree {
	var t workTree
	for line := range strings.SplitSeq(record, "\x00") {
		switch key, value, _ := strings.Cut(line, " "); key {
		case "worktree":
			t.path = value
		case "branch":
			t.branch = value
		case "bare", "prunable": // a prunable one has been taken away
			return nil
		}
	}
	return &t
}

// locateMain finds the main work tree, which git lists wrongly if it isn't just
// above the git dir.
func (r *Repo) locateMain(ctx context.Context, t *workTree) error {
	t.gitDir, t.path = r.Dir, ""
	values, err := r.config(ctx, "core.worktree")
	if err != nil {
		return err
	}
	switch {
	case len(values) > 0:
		t.path = values[len(values)-1]
		if !filepath.IsAbs(t.path) {
			t.path = filepath.Join(r.Dir, t.path)
		}
	case filepath.Base(r.Dir) == ".git":
		t.path = filepath.Dir(r.Dir)
	}
	return nil
}

// locateLinked finds the git dir of a linked work tree.
func (r *Repo) locateLinked(ctx context.Context, t *workTree) error {
	if _, err := os.Stat(t.path); err != nil {
		t.path = "" // on a disk that isn't there now
		return nil
	}
	out, err := run(ctx, t.path, r.env, nil, "rev-parse", "--absolute-git-dir")
	if exitStatus(err) > 0 {
		t.path = ""
		return nil
	}
	t.gitDir = strings.TrimSuffix(out, "\n")
	return err
}

// inspect finds out what a work tree is in the middle of. A rebase detaches
// HEAD, but will move its branch at the end.
func (t *workTree) inspect() {
	if t.path == "" {
		return
	}
	for _, dir := range []string{"rebase-merge", "rebase-apply"} {
		if !t.has(dir) {
			continue
		}
		t.busy = "rebase"
		if name, err := os.ReadFile(filepath.Join(t.gitDir, dir, "head-name")); err == nil {
			t.branch = strings.TrimSpace(string(name))
		}
	}
	for file, what := range map[string]string{
		"MERGE_HEAD": "merge", "CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert",
	} {
		if t.busy == "" && t.has(file) {
			t.busy = what
		}
	}
}

func (t *workTree) has(file string) bool {
	_, err := os.Stat(filepath.Join(t.gitDir, file))
	return err == nil
}
