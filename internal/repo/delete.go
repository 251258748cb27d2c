package repo

import (
	"context"
	"strings"
)

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
	deletes, err := r.repo.configBool(ctx, "receive.denyDeletes")
	if err != nil {
		return "", err
	}
	if deletes {
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
