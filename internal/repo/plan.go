package repo

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// plan decides what is to be done about a command, as things stand. It goes by
// the refs' actual values: what the pusher was shown may be older, or zero.
func (r *receiver) plan(ctx context.Context, c command) (*plan, error) {
	p := &plan{report: report{ref: c.ref}}
	if plumbing.ReferenceName(c.ref).Validate() != nil {
		return p.refuse("funny refname"), nil
	}
	switch {
	case !strings.HasPrefix(c.ref, headsPrefix):
		return r.planOther(ctx, p, c)
	case isZero(c.new):
		return r.planDelete(ctx, p, c)
	case !r.commits[c.new]:
		return p.refuse("not a commit"), nil
	}
	return r.planUpdate(ctx, p, c)
}

// planOther is for what isn't a branch, in an atomic push: as receive-pack
// would do it.
func (r *receiver) planOther(ctx context.Context, p *plan, c command) (*plan, error) {
	p.report.done = change{c.ref, c.old, c.new}
	if c.old != c.new {
		p.changes = []change{p.report.done}
	}
	return r.askUpdateHook(ctx, p)
}

// planUpdate brings a branch up by fast-forward if it may be, and otherwise
// puts the commits where only this sender's are.
func (r *receiver) planUpdate(ctx context.Context, p *plan, c command) (*plan, error) {
	current := r.value(c.ref, c.new)
	if current == c.new {
		p.report.done = change{c.ref, current, c.new}
		return p, r.tidy(ctx, p, c)
	}
	forward := r.integrate
	if forward && !isZero(current) {
		var err error
		if forward, err = r.repo.isAncestor(ctx, current, c.new); err != nil {
			return nil, err
		}
	}
	if forward {
		why, err := r.alongTrees(ctx, p, c.ref, current, c.new)
		if err != nil {
			return nil, err
		}
		if why != "" {
			forward = false
			p.note = fmt.Sprintf("%s is checked out %s: left as it was; your commits are in %s",
				strings.TrimPrefix(c.ref, headsPrefix), why, r.fallback(c.ref))
		}
	}
	if !forward {
		return r.planFallback(ctx, p, c)
	}
	p.report.done = change{c.ref, current, c.new}
	p.changes = []change{p.report.done}
	if err := r.tidy(ctx, p, c); err != nil {
		return nil, err
	}
	return r.askUpdateHook(ctx, p)
}

// planFallback moves the sender's fallback ref, wherever it was.
func (r *receiver) planFallback(ctx context.Context, p *plan, c command) (*plan, error) {
	ref := r.fallback(c.ref)
	old := r.value(ref, c.new)
	p.report.done = change{ref, old, c.new}
	if old == c.new {
		return p, nil
	}
	p.changes = []change{p.report.done}
	if !isZero(old) {
		forward, err := r.repo.isAncestor(ctx, old, c.new)
		if err != nil {
			return nil, err
		}
		p.report.forced = !forward
	}
	return r.askUpdateHook(ctx, p)
}

// planDelete deletes a branch and the sender's fallback ref for it.
func (r *receiver) planDelete(ctx context.Context, p *plan, c command) (*plan, error) {
	current, fallback := r.value(c.ref, c.new), r.fallback(c.ref)
	p.report.done = change{c.ref, current, c.new}
	if !isZero(current) {
		prohibited, err := r.mayNotDelete(ctx, c.ref)
		if err != nil {
			return nil, err
		}
		if prohibited != "" {
			return p.refuse(prohibited), nil
		}
		p.changes = append(p.changes, p.report.done)
	}
	if old := r.value(fallback, c.new); !isZero(old) {
		p.changes = append(p.changes, change{fallback, old, c.new})
	}
	if len(p.changes) == 0 {
		p.note = "warning: deleting a non-existent ref"
		return p, nil
	}
	return r.askUpdateHook(ctx, p)
}

// mayNotDelete returns why a branch may not be deleted, in git's words, or "".
func (r *receiver) mayNotDelete(ctx context.Context, ref string) (string, error) {
	deletes, err := r.deny(ctx, "receive.denyDeletes")
	if err != nil {
		return "", err
	}
	if deletes == denyRefuse {
		return "deletion prohibited", nil
	}
	current, err := r.isCurrent(ctx, ref)
	if err != nil || !current {
		return "", err
	}
	switch deny, err := r.deny(ctx, "receive.denyDeleteCurrent"); {
	case err != nil:
		return "", err
	case deny == denyIgnore || deny == denyWarn:
		return "", nil
	}
	return "deletion of the current branch prohibited", nil
}

// tidy deletes the sender's fallback ref if the branch will have all of it.
func (r *receiver) tidy(ctx context.Context, p *plan, c command) error {
	ref := r.fallback(c.ref)
	old := r.value(ref, c.new)
	if isZero(old) {
		return nil
	}
	done, err := r.repo.isAncestor(ctx, old, c.new)
	if done {
		p.changes = append(p.changes, change{ref, old, zeroLike(old)})
	}
	return err
}

// askUpdateHook runs the repository's own update hook for the ref that is
// really written: git itself doesn't for refs that it leaves to proc-receive.
func (r *receiver) askUpdateHook(ctx context.Context, p *plan) (*plan, error) {
	path := findHook(r.hooks, "update")
	if path == "" || len(p.changes) == 0 {
		return p, nil
	}
	c := p.changes[0]
	cmd, err := hookCommand(ctx, path, c.ref, c.old, c.new)
	if err != nil {
		return nil, fmt.Errorf("update hook: %w", err)
	}
	err = r.runHook(cmd, nil)
	var exit *exec.ExitError
	if errors.As(err, &exit) || ctx.Err() != nil {
		return p.refuse("hook declined"), nil
	}
	if err != nil {
		return nil, fmt.Errorf("update hook: %w", err)
	}
	return p, nil
}

// runHook runs a hook of the repository's own where receive-pack runs hooks,
// with what it says shown to the pusher.
func (r *receiver) runHook(cmd *exec.Cmd, environ []string) error {
	cmd.Dir, cmd.Env = r.repo.Dir, slices.Concat(r.hookEnv, environ)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = r.stderr, r.stderr, pipeGrace
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it has left something behind that holds its output
	}
	return err
}

// fallback is the ref that the sender's commits for a branch go to.
func (r *receiver) fallback(ref string) string {
	return r.sender.synced() + strings.TrimPrefix(ref, headsPrefix)
}

// value is a ref's value, the zero id if it doesn't exist; like is any id.
func (r *receiver) value(ref, like string) string {
	if v, ok := r.refs[ref]; ok {
		return v
	}
	return zeroLike(like)
}

// The actions of git's receive.deny* settings.
type deny int

const (
	denyUnset deny = iota
	denyIgnore
	denyWarn
	denyRefuse
	denyUpdateInstead
)

// deny reads a setting whose value is an action or a boolean.
func (r *receiver) deny(ctx context.Context, key string) (deny, error) {
	values, err := r.repo.config(ctx, key)
	if err != nil || len(values) == 0 {
		return denyUnset, err
	}
	switch strings.ToLower(values[len(values)-1]) {
	case "ignore", "false", "no", "off", "0":
		return denyIgnore, nil
	case "warn":
		return denyWarn, nil
	case "updateinstead":
		return denyUpdateInstead, nil
	}
	return denyRefuse, nil
}
