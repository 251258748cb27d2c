package repo

import (
	"context"
	"strings"
)

// planDelete deletes a branch and the sender's fallback refs for it. A pusher
// that was shown the branch must have been shown the value that it has now.
func (r *receiver) planDelete(ctx context.Context, p *plan, c command) (*plan, error) {
	old := c.old
	if isZero(old) {
		old = r.value(c.ref, c.new)
	}
	p.report.done = change{c.ref, old, c.new}
	if !isZero(old) {
		prohibited, err := r.mayNotDelete(ctx, c.ref)
		if err != nil {
			return nil, err
		}
		if prohibited != "" {
			return p.refuse(prohibited), nil
		}
		p.changes = append(p.changes, p.report.done)
	}
	for _, ref := range r.fallbacks(c.ref) {
		p.changes = append(p.changes, change{ref, r.refs[ref], c.new})
	}
	if len(p.changes) == 0 {
		p.notes = []string{"warning: deleting a non-existent ref"}
		return p, nil
	}
	return r.askUpdateHook(ctx, p)
}

// mayNotDelete returns why a branch may not be deleted, or "". It says to the pusher what git says.
func (r *receiver) mayNotDelete(ctx context.Context, ref string) (string, error) {
	denied, err := r.repo.configBool(ctx, "receive.denyDeletes")
	if err != nil {
		return "", err
	}
	if denied {
		r.say("error: denying ref deletion for " + ref)
		return "deletion prohibited", nil
	}
	current, err := r.isCurrent(ctx, ref)
	if err != nil || !current {
		return "", err
	}
	action, err := r.deny(ctx, "receive.denyDeleteCurrent")
	switch {
	case err != nil || action == denyIgnore:
		return "", err
	case action == denyWarn:
		r.say("warning: deleting the current branch")
		return "", nil
	case action == denyUnset:
		r.say(denyDeleteCurrentHelp)
	}
	r.say("error: refusing to delete the current branch: " + ref)
	return "deletion of the current branch prohibited", nil
}

// denyDeleteCurrentHelp is what git's receive-pack says where nothing is set.
const denyDeleteCurrentHelp = `error: By default, deleting the current branch is denied, because the next
'git clone' won't result in any file checked out, causing confusion.

You can set 'receive.denyDeleteCurrent' configuration variable to
'warn' or 'ignore' in the remote repository to allow deleting the
current branch, with or without a warning message.

To squelch this message, you can set it to 'refuse'.`

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
	case "ignore":
		return denyIgnore, nil
	case "refuse":
		return denyRefuse, nil
	case "warn":
		return denyWarn, nil
	case "updateinstead":
		return denyUpdateInstead, nil
	}
	if yes, err := r.repo.configBool(ctx, key); err != nil || !yes {
		return denyIgnore, err
	}
	return denyRefuse, nil
}
