package repo

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// treeTimeout is how long bringing work trees along may take.
const treeTimeout = 10 * time.Minute

// treeError says that a work tree could not be brought along.
type treeError struct{ err error }

func (e *treeError) Error() string { return "work tree: " + e.err.Error() }
func (e *treeError) Unwrap() error { return e.err }

// stoppedError is the error of a git command in a work tree, and what git said.
type stoppedError struct {
	err  error
	said string // at most maxComplaintBytes
}

func (e *stoppedError) Error() string { return e.err.Error() }
func (e *stoppedError) Unwrap() error { return e.err }

// untouched reports whether git gave up before it changed a file: it found one that it would have overwritten (the
// messages of unpack-trees.c for read-tree), or the index locked. Such a tree must not be reset: that would take an edit away.
func (e *stoppedError) untouched() bool {
	return slices.ContainsFunc([]string{
		"not uptodate", "would be overwritten", "would lose untracked files", "index.lock'",
	}, func(part string) bool { return strings.Contains(e.said, part) })
}

// alongTrees adds to a plan the work trees that must follow when a branch goes
// from one commit to another. why says what stands against moving the branch,
// for the pusher; it is "" if nothing does.
func (r *receiver) alongTrees(ctx context.Context, p *plan, ref, from, to string) (why string, err error) {
	trees, err := r.checkedOut(ctx, ref)
	if err != nil || len(trees) == 0 {
		return "", err
	}
	action, err := r.deny(ctx, "receive.denyCurrentBranch")
	if err != nil {
		return "", err
	}
	switch action {
	case denyRefuse:
		return "is checked out there, where receive.denyCurrentBranch is set to refuse", nil
	case denyWarn:
		p.notes = append(p.notes, "warning: updating the current branch")
		return "", nil
	case denyIgnore:
		return "", nil
	}
	if r.declined[ref] {
		return "is checked out in a work tree there that could not be brought along", nil
	}
	if isZero(from) { // a branch without a commit yet
		if from, err = r.repo.git(ctx, strings.NewReader(""), "hash-object", "-t", "tree", "--stdin"); err != nil {
			return "", err
		}
		from = strings.TrimSpace(from)
	}
	p.trees, p.from = trees, from
	if findHook(r.hooks, pushToCheckout) != "" {
		return "", nil // it is for the hook to decide
	}
	defer r.takeTurn(ctx)()
	for _, t := range trees {
		why := r.obstacle(ctx, t, from, to)
		if why == "" {
			continue
		}
		p.trees = nil
		if now, err := r.repo.refs(ctx, ref); err != nil || now[ref] != r.refs[ref] {
			return "", errors.Join(err, errMoved) // and the tree with it
		}
		return "is checked out " + why, ctx.Err()
	}
	return "", nil
}

// obstacle returns what is in the way of a work tree's going from one tree to
// another, or "": the checks that git makes for updateInstead
// (receive.denyCurrentBranch in git-config(1)), and a rehearsal.
func (r *receiver) obstacle(ctx context.Context, t workTree, from, to string) string {
	switch {
	case t.path == "":
		return "in a work tree there that can't be found"
	case t.busy != "":
		return "in the middle of a " + t.busy + " in a work tree there"
	}
	for _, check := range [][]string{
		{"update-index", "-q", "--ignore-submodules", "--refresh"},
		{"diff-files", "--quiet", "--ignore-submodules", "--"},
		{"diff-index", "--quiet", "--cached", "--ignore-submodules", from, "--"},
	} {
		if r.inTree(ctx, t, check...) != nil {
			return "with changes in a work tree there"
		}
	}
	if r.inTree(ctx, t, "read-tree", "-n", "-u", "-m", from, to) != nil {
		return "in a work tree there, where files that git doesn't know are in the way"
	}
	return ""
}

// checkOutAll brings the work trees of all plans along. undo takes them back.
// After an error they are as before.
func (r *receiver) checkOutAll(ctx context.Context, plans []*plan) (undo func(), err error) {
	var done []func()
	undo = func() {
		for _, f := range slices.Backward(done) {
			f()
		}
	}
	for _, p := range plans {
		for _, t := range p.trees {
			back, err := r.checkOut(ctx, t, p.from, p.changes[0].new)
			if err != nil {
				r.declined[p.report.ref] = true
				undo()
				return nil, &treeError{err}
			}
			done = append(done, back)
		}
	}
	return undo, nil
}

// pushToCheckout is the hook that updates a work tree instead of git.
const pushToCheckout = "push-to-checkout"

// checkOut brings one work tree along. It is clean at `from`, unless the
// repository has a hook for the purpose.
func (r *receiver) checkOut(ctx context.Context, t workTree, from, to string) (undo func(), err error) {
	if path := findHook(r.hooks, pushToCheckout); path != "" {
		return func() {}, r.runPushToCheckout(ctx, t, path, to) // what a hook did can't be undone
	}
	if err := r.inTree(ctx, t, "read-tree", "-u", "-m", from, to); err != nil {
		var stopped *stoppedError
		if errors.As(err, &stopped) && stopped.untouched() {
			return nil, err // what was edited since the checks stays as it is
		}
		// Half of the files may be there, the index isn't: give it the new
		// tree, so that git knows which files to take away again.
		if r.inTree(ctx, t, "read-tree", "--reset", to) == nil {
			_ = r.inTree(ctx, t, "read-tree", "--reset", "-u", from)
		}
		return nil, err
	}
	return func() { _ = r.inTree(ctx, t, "read-tree", "-u", "-m", to, from) }, nil
}

func (r *receiver) runPushToCheckout(ctx context.Context, t workTree, path, to string) error {
	if t.path == "" {
		return errors.New("not found")
	}
	cmd, err := hookCommand(ctx, path, to)
	if err != nil {
		return err
	}
	return r.runHook(ctx, cmd, t.environ())
}

// inTree runs git in a work tree, in a group of its own: a signal that ends
// the push must not end it half-way. The error is a [*stoppedError].
func (r *receiver) inTree(ctx context.Context, t workTree, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.WaitDelay = t.path, pipeGrace
	cmd.Env = append(slices.Concat(r.repo.env, t.environ()), "LC_ALL=C") // untouched reads what git says
	var said headWriter
	cmd.Stderr = &said
	ownGroup(cmd)
	if err := cmd.Run(); err != nil {
		return &stoppedError{describe(ctx, args, err), said.String()}
	}
	return nil
}

// headWriter keeps the first maxComplaintBytes of what is written to it.
type headWriter struct{ strings.Builder }

func (w *headWriter) Write(p []byte) (int, error) {
	_, _ = w.Builder.Write(p[:min(len(p), maxComplaintBytes-w.Len())]) // a strings.Builder doesn't fail
	return len(p), nil
}

func (t workTree) environ() []string {
	return []string{"GIT_DIR=" + t.gitDir, "GIT_WORK_TREE=" + t.path}
}
