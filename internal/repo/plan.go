package repo

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"git-remote-xmpp/internal/refname"
)

// plan is what is to be done about one command.
type plan struct {
	report  report
	changes []change   // the first is the one that was asked for
	trees   []workTree // where the branch is checked out, to be brought along
	from    string     // the tree-ish that is in them now
	notes   []string   // what the pusher is told if the plan is carried out
}

func (p *plan) refuse(reason string) *plan {
	p.report.reason = reason
	return p
}

// plan decides what is to be done about a command, as things stand. It goes by
// the refs' actual values: what the pusher was shown may be older, or zero.
func (r *receiver) plan(ctx context.Context, c command) (*plan, error) {
	p := &plan{report: report{ref: c.ref}}
	if !refname.Valid(c.ref) {
		r.say("error: refusing to create funny ref '" + c.ref + "' remotely")
		return p.refuse("funny refname"), nil
	}
	record := r.isRecord(c)
	switch {
	case !record && !strings.HasPrefix(c.ref, headsPrefix):
		return r.planOther(ctx, p, c)
	case isZero(c.new):
		return r.planDelete(ctx, p, c)
	case !r.commits[c.new]:
		return p.refuse("not a commit"), nil
	case record:
		return r.planFallback(ctx, p, c)
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

// planUpdate moves a branch if it may be moved, and otherwise puts the commits
// where only this sender's are.
func (r *receiver) planUpdate(ctx context.Context, p *plan, c command) (*plan, error) {
	current, branch := r.value(c.ref, c.new), strings.TrimPrefix(c.ref, headsPrefix)
	to, why, err := r.target(ctx, p, c, current)
	if err == nil && to == current {
		p.notes = append(p.notes, branch+" has your commits already")
		p.report.done = change{c.ref, c.new, c.new}
		return p, r.tidy(ctx, p, c.ref, to)
	}
	if err == nil && to != "" {
		why, err = r.alongTrees(ctx, p, c.ref, current, to)
	}
	if err != nil {
		return nil, err
	}
	if why != "" {
		p.notes = append(p.notes, fmt.Sprintf("%s %s: left as it was; your commits are in %s", branch, why, r.fallback(c.ref)))
	}
	if to == "" || why != "" {
		return r.planFallback(ctx, p, c)
	}
	// The pusher's git gets to know no commit that it hasn't: its
	// remote-tracking branch couldn't be set to that.
	p.report.done = change{c.ref, current, c.new}
	p.changes = []change{{c.ref, current, to}}
	if to != c.new {
		p.notes = append(p.notes, fmt.Sprintf("%s: merged with what was there as %.*s; git pull brings it", branch, shortIDBytes, to))
	}
	if err := r.tidy(ctx, p, c.ref, to); err != nil {
		return nil, err
	}
	return r.askUpdateHook(ctx, p)
}

// shortIDBytes is how much of an object id people are shown.
const shortIDBytes = 10

// target returns the commit that a branch is to be moved to for a command: the
// one that it has if that holds the pushed one, and "" if the branch is to be left alone. Then
// why says the reason, for the pusher, unless it is the ordinary one.
func (r *receiver) target(ctx context.Context, p *plan, c command, current string) (to, why string, err error) {
	forward := isZero(current)
	if !forward {
		if forward, err = r.repo.isAncestor(ctx, current, c.new); err != nil {
			return "", "", err
		}
	}
	switch {
	case current == c.new:
		return current, "", nil
	case forward && r.integrate == IntegrateNone:
		return "", "", nil
	case forward:
		return c.new, "", nil
	case c.old == current:
		return r.forced(ctx, p, c)
	}
	contained, err := r.repo.isAncestor(ctx, c.new, current)
	switch {
	case err != nil || contained:
		return current, "", err
	case r.integrate == IntegrateMerge:
		return r.merged(ctx, c, current)
	}
	return "", "", nil
}

// forced is target for a command that git's client refuses by itself unless it
// is forced: the pusher knows the value that it gives up.
func (r *receiver) forced(ctx context.Context, p *plan, c command) (to, why string, err error) {
	if r.integrate == IntegrateNone {
		return "", "isn't moved by a push there, not even by a forced one", nil
	}
	denied, err := r.repo.configBool(ctx, "receive.denyNonFastForwards")
	if denied || err != nil {
		return "", "may not lose commits there (receive.denyNonFastForwards)", err
	}
	p.report.forced = true
	return c.new, "", nil
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
	err = r.runHook(ctx, cmd, nil)
	if err == nil {
		return p, nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) && ctx.Err() == nil {
		r.say(cannotRun("update", err))
	}
	r.say("error: hook declined to update " + c.ref)
	return p.refuse("hook declined"), nil
}

// runHook runs a hook of the repository's own where receive-pack runs hooks,
// with what it says shown to the pusher.
func (r *receiver) runHook(ctx context.Context, cmd *exec.Cmd, environ []string) error {
	cmd.Dir, cmd.Env = r.repo.Dir, slices.Concat(r.hookEnv, environ)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = r.stderr, r.stderr, pipeGrace
	if r.grouped {
		return runGroup(ctx, cmd, hookGrace)
	}
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it has left something behind that holds its output
	}
	return err
}

// value is a ref's value, the zero id if it doesn't exist; like is any id.
func (r *receiver) value(ref, like string) string {
	if v, ok := r.refs[ref]; ok {
		return v
	}
	return zeroLike(like)
}
