package repo

import (
	"context"
	"slices"
	"strings"

	"git-remote-xmpp/internal/refname"
)

// maxCreatedTogether bounds how many branches one transaction creates: others wait for their turn meanwhile.
const maxCreatedTogether = 1000

// createMany creates those of the branches that are new and stand in nothing's way in a few transactions, which is much faster than one each, and
// returns what became of these commands, by their place. Of a transaction that fails nothing is done: its commands are left, as all others are,
// to be carried out one by one.
//
// Hooks that have a say in each ref are asked about it by itself: where there is one nothing is created here.
func (r *receiver) createMany(ctx context.Context, commands []command) (map[int]report, error) {
	if r.integrate == IntegrateNone || findHook(r.hooks, "update") != "" || findHook(r.hooks, "reference-transaction") != "" {
		return nil, nil
	}
	var places []int
	var plans []*plan
	for i, c := range commands {
		p, err := r.planCreation(ctx, c)
		if err != nil {
			return nil, err
		}
		if p != nil {
			places, plans = append(places, i), append(plans, p)
		}
	}
	done := make(map[int]report)
	if len(plans) < 2 {
		return done, nil
	}
	for some := range slices.Chunk(plans, maxCreatedTogether) {
		if r.apply(ctx, some) == nil {
			for i, p := range some {
				done[places[i]] = p.report
			}
		}
		places = places[len(some):]
	}
	return done, nil
}

// planCreation returns the plan for a command that does nothing but create a branch, nil for any other.
func (r *receiver) planCreation(ctx context.Context, c command) (*plan, error) {
	if _, exists := r.refs[c.ref]; exists || isZero(c.new) || !strings.HasPrefix(c.ref, headsPrefix) || !refname.Valid(c.ref) {
		return nil, nil
	}
	p, err := r.plan(ctx, c)
	if err != nil || p.report.reason != "" || len(p.notes) > 0 || len(p.trees) > 0 || len(p.changes) != 1 {
		return nil, err
	}
	return p, nil
}
