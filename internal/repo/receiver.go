package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// attempts is how often a ref is tried that moves under our hands: each time another push has got through.
const attempts = 10

const (
	reasonAtomic    = "atomic push failure" // git's words
	reasonCancelled = "push cancelled"
)

// receiver takes in one push in fallback mode.
type receiver struct {
	repo      *Repo
	sender    Sender
	integrate string   // Policy.Integrate
	hooks     string   // the repository's own hooks folder
	hookEnv   []string // the environment for them
	stderr    io.Writer
	txn       *transactions

	refs     map[string]string // branches and the sender's fallback refs
	names    refNames          // of the fallback refs that there are or will be
	commits  map[string]bool   // the new values that are commits
	trees    []workTree
	loaded   bool            // whether trees are known
	declined map[string]bool // branches that a push-to-checkout hook wouldn't have moved
}

// run carries out the commands. The reports are in the commands' order.
func (r *receiver) run(ctx context.Context, req request) ([]report, error) {
	if err := r.load(ctx, req.commands); err != nil {
		return nil, err
	}
	var reports []report
	var err error
	if req.atomic {
		reports, err = r.together(ctx, req.commands)
	} else {
		reports, err = r.oneByOne(ctx, req.commands)
	}
	_ = r.txn.close() // what was committed stays, whatever git ends with
	return reports, err
}

// load reads what all decisions need, with one git process each.
func (r *receiver) load(ctx context.Context, commands []command) error {
	if err := r.reload(ctx); err != nil {
		return err
	}
	var ids strings.Builder
	for _, c := range commands {
		if !isZero(c.new) {
			ids.WriteString(c.new + "\n")
		}
	}
	r.commits = make(map[string]bool)
	if ids.Len() == 0 {
		return nil
	}
	out, err := r.repo.git(ctx, strings.NewReader(ids.String()), "cat-file", "--batch-check=%(objectname) %(objecttype)")
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if id, kind, _ := strings.Cut(strings.TrimSpace(line), " "); kind == "commit" {
			r.commits[id] = true
		}
	}
	return nil
}

func (r *receiver) reload(ctx context.Context) (err error) {
	r.refs, err = r.repo.refs(ctx, append(r.sender.namespaces(), headsPrefix)...)
	r.names = make(refNames)
	for ref := range r.refs {
		if strings.HasPrefix(ref, syncedPrefix) {
			r.names.add(ref)
		}
	}
	return err
}

func (r *receiver) oneByOne(ctx context.Context, commands []command) ([]report, error) {
	var reports []report
	for _, c := range commands {
		done, err := r.one(ctx, c)
		if err != nil {
			return nil, err
		}
		reports = append(reports, done)
	}
	return reports, nil
}

// one carries out one command by itself.
func (r *receiver) one(ctx context.Context, c command) (report, error) {
	if !strings.HasPrefix(c.ref, headsPrefix) {
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
	var reports []report
	for _, c := range commands {
		reports = append(reports, report{ref: c.ref, reason: explain(failure)})
	}
	return reports, nil
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

// apply carries out plans in one transaction: the refs are locked, then the
// work trees brought along, then the refs moved. If anything fails all is as
// before. Once it has its turn it doesn't stop half-way when ctx is cancelled.
func (r *receiver) apply(ctx context.Context, plans []*plan) error {
	defer r.takeTurn(ctx)()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), treeTimeout)
	defer cancel()
	var changes []change
	for _, p := range plans {
		changes = append(changes, p.changes...)
	}
	if len(changes) > 0 {
		if err := r.txn.prepare(changes); err != nil {
			return err
		}
		undo, err := r.checkOutAll(ctx, plans)
		if err != nil {
			return errors.Join(err, r.txn.abort())
		}
		if err := r.txn.commit(); err != nil {
			undo()
			return err
		}
	}
	for _, c := range changes {
		r.refs[c.ref] = c.new
		if isZero(c.new) {
			delete(r.refs, c.ref)
		}
	}
	for _, p := range plans {
		for _, note := range p.notes {
			r.say(note)
		}
	}
	return nil
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

// say tells the pusher something; git shows it behind `remote: `.
func (r *receiver) say(line string) { fmt.Fprintln(r.stderr, line) }
