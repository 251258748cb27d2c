package repo

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// attempts is how often a ref is tried that moves under our hands: each time another push has got through.
const attempts = 10

const (
	reasonAtomic    = "atomic push failure" // git's words
	reasonCancelled = "push cancelled"
)

// oneByOne carries out each command as if it were the only one.
func (r *receiver) oneByOne(ctx context.Context, commands []command) ([]report, error) {
	created, err := r.createMany(ctx, commands)
	if err != nil {
		return nil, err
	}
	var reports []report
	for i, c := range commands {
		done, ok := created[i]
		if !ok {
			if done, err = r.one(ctx, c); err != nil {
				return nil, err
			}
		}
		reports = append(reports, done)
	}
	return reports, nil
}

// one carries out one command.
func (r *receiver) one(ctx context.Context, c command) (report, error) {
	if !strings.HasPrefix(c.ref, headsPrefix) && !r.isRecord(c) {
		return report{ref: c.ref, fallThrough: true}, nil
	}
	var failure error
	for range attempts {
		if ctx.Err() != nil {
			return report{ref: c.ref, reason: reasonCancelled}, nil
		}
		p, err := r.plan(ctx, c)
		switch {
		case errors.Is(err, errMoved):
			failure = err
		case err != nil:
			return report{}, err
		case p.report.reason != "":
			return p.report, nil
		default:
			if failure = r.apply(ctx, []*plan{p}); failure == nil {
				return p.report, nil
			}
		}
		again, err := r.changed(ctx, []*plan{p}, failure)
		if err != nil {
			return report{}, err
		}
		if !again {
			break
		}
	}
	return report{ref: c.ref, reason: explain(failure)}, nil
}

// together carries out all commands or none.
func (r *receiver) together(ctx context.Context, commands []command) ([]report, error) {
	var failure error
	for range attempts {
		plans, err := r.planAll(ctx, commands)
		switch {
		case errors.Is(err, errMoved):
			failure = err
		case err != nil:
			return nil, err
		case slices.ContainsFunc(plans, func(p *plan) bool { return p.report.reason != "" }):
			return reportAll(plans, reasonAtomic), nil
		default:
			if failure = r.apply(ctx, plans); failure == nil {
				return reportAll(plans, ""), nil
			}
		}
		again, err := r.changed(ctx, plans, failure)
		if err != nil {
			return nil, err
		}
		if !again {
			return reportAll(plans, explain(failure)), nil
		}
	}
	return refuseAll(commands, explain(failure)), nil
}

func refuseAll(commands []command, reason string) []report {
	var reports []report
	for _, c := range commands {
		reports = append(reports, report{ref: c.ref, reason: reason})
	}
	return reports
}

// leaveAll leaves commands to receive-pack.
func leaveAll(commands []command) []report {
	var reports []report
	for _, c := range commands {
		reports = append(reports, report{ref: c.ref, fallThrough: true})
	}
	return reports
}

func (r *receiver) planAll(ctx context.Context, commands []command) ([]*plan, error) {
	var plans []*plan
	for _, c := range commands {
		p, err := r.plan(ctx, c)
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			p.refuse(reasonCancelled)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// reportAll returns the plans' reports; a reason is put where none stands.
func reportAll(plans []*plan, reason string) []report {
	var reports []report
	for _, p := range plans {
		if p.report.reason == "" {
			p.report.reason = reason
		}
		reports = append(reports, p.report)
	}
	return reports
}

// changed reports whether, after a failure, the world is no longer what the
// plans were made for, so that new ones may do.
func (r *receiver) changed(ctx context.Context, plans []*plan, failure error) (bool, error) {
	before := r.refs
	if err := r.reload(ctx); err != nil {
		return false, err
	}
	var tree *treeError
	if errors.As(failure, &tree) || errors.Is(failure, errMoved) {
		return true, nil // the tree isn't clean any more, or its hook declined
	}
	for _, p := range plans {
		for _, c := range p.changes {
			if before[c.ref] != r.refs[c.ref] {
				return true, nil
			}
		}
	}
	return false, nil
}

// explain is a failure's text for the pusher.
func explain(failure error) string {
	var refused *refError
	if errors.As(failure, &refused) {
		return refused.reason()
	}
	return "failed to update ref"
}
