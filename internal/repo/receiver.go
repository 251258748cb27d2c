package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"git-remote-xmpp/internal/refname"
)

// receiver takes in one push, or in direct mode looks at what the sender may change of it.
type receiver struct {
	repo      *Repo
	sender    Sender
	integrate string           // Policy.Integrate; "" in direct mode
	allowed   refname.Patterns // Policy.Refs
	hooks     string           // the repository's own hooks folder
	hookEnv   []string         // the environment for them
	// grouped is set where hooks run in groups of their own: without one of git's around us nothing else would end what they start.
	grouped bool
	stderr  io.Writer
	txn     *transactions

	refs     map[string]string // branches and the sender's fallback refs
	names    refNames          // of the fallback refs that there are or will be
	commits  map[string]bool   // the new values that are commits
	trees    []workTree
	loaded   bool            // whether trees are known
	declined map[string]bool // branches that a push-to-checkout hook wouldn't have moved
}

// receiver makes a receiver. own is the repository's own hooks folder, stderr is for what the pusher is told.
func (r *Repo) receiver(ctx context.Context, sender Sender, policy Policy, own string, hookEnv []string, stderr io.Writer) (*receiver, error) {
	late, err := r.olderThan(ctx, answersAtOnce)
	if err != nil {
		return nil, err
	}
	return &receiver{
		repo: r, sender: sender, integrate: policy.Integrate, allowed: policy.Refs, hooks: own, hookEnv: hookEnv, stderr: stderr,
		txn:      &transactions{repo: r, message: sender.reflog(), stderr: stderr, late: late},
		declined: make(map[string]bool),
	}, nil
}

// run carries out the commands. The reports are in the commands' order. What the sender may not change goes no
// further. Then the repository's own proc-receive hook comes first, as it does in git.
func (r *receiver) run(ctx context.Context, req request) ([]report, error) {
	all := req.commands
	allowed, refused, err := r.theirs(ctx, all)
	if err != nil {
		return nil, err
	}
	if req.atomic && len(refused) > 0 {
		return inOrder(all, refused, refuseAll(allowed, reasonAtomic)), nil
	}
	req.commands = allowed
	if err := r.load(ctx, allowed); err != nil {
		return nil, err
	}
	own, failed, err := r.runOwn(ctx, req)
	if err != nil {
		return nil, err
	}
	var mine []command
	for _, c := range allowed {
		if _, done := own[c.ref]; !done {
			mine = append(mine, c)
		}
	}
	reports, err := r.carryOut(ctx, mine, req.atomic, failed)
	if err != nil {
		return nil, err
	}
	if req.atomic && !failed && slices.ContainsFunc(reports, func(r report) bool { return r.reason != "" }) {
		failAll(own)
	}
	maps.Copy(refused, own)
	return inOrder(all, refused, reports), nil
}

// carryOut does what the repository's own hook, which may have failed, hasn't done.
func (r *receiver) carryOut(ctx context.Context, mine []command, atomic, failed bool) (reports []report, err error) {
	switch {
	case atomic && failed:
		return refuseAll(mine, reasonOwnHook), nil
	case r.integrate == "":
		return leaveAll(mine), nil
	case atomic:
		reports, err = r.together(ctx, mine)
	default:
		reports, err = r.oneByOne(ctx, mine)
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

// say tells the pusher something; git shows it behind `remote: `.
func (r *receiver) say(line string) { fmt.Fprintln(r.stderr, line) }
