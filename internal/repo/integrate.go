package repo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Integrate brings what waits in a sender's fallback refs into the branches, as policy says, as if it were pushed now: a work tree may have been in the
// way then, or the branch has moved since. Records stay as they are. The repository's own hooks update, push-to-checkout, post-receive and
// post-update run as in a push, with what they say and what the pusher would be told going to out. What has begun is finished when ctx ends. If nothing
// waits it costs one git process.
func (r *Repo) Integrate(ctx context.Context, sender Sender, policy Policy, out io.Writer) error {
	if err := sender.check(true); err != nil {
		return err
	}
	policy, err := policy.withDefaults()
	if err != nil || policy.Mode != ModeFallback || policy.Integrate == IntegrateNone {
		return err
	}
	refs, err := r.refs(ctx, sender.namespaces()...)
	if err != nil {
		return err
	}
	commands := waiting(refs)
	if len(commands) == 0 {
		return nil
	}
	if err := r.integrate(ctx, sender, policy, commands, out); err != nil {
		return fmt.Errorf("bring in what waits: %w", err)
	}
	return nil
}

func (r *Repo) integrate(ctx context.Context, sender Sender, policy Policy, commands []command, out io.Writer) error {
	own, err := r.ownHooks(ctx)
	if err != nil {
		return err
	}
	environ := slices.Concat(Environ(), sender.environ(), []string{"GIT_DIR=" + r.Dir})
	rec, err := r.receiver(ctx, sender, policy, own, environ, &oneAtATime{to: out})
	if err != nil {
		return err
	}
	rec.grouped = true
	if commands, _, err = rec.theirs(ctx, commands); err != nil { // what they may do now counts
		return err
	}
	if err := rec.load(ctx, commands); err != nil {
		return err
	}
	reports, err := rec.oneByOne(ctx, commands)
	_ = rec.txn.close() // what was committed stays, whatever git ends with
	rec.tellAfter(ctx, reports)
	return err
}

// waiting returns a command for each branch that something waits for, in the order of their names. Of several refs for one branch it takes the one
// that the receiver takes.
func waiting(refs map[string]string) []command {
	first := make(map[string]Fallback)
	for _, f := range fallbacksAmong(refs) {
		if have, ok := first[f.Branch]; f.Origin == "" && (!ok || len(f.Ref) < len(have.Ref)) { // the first namespace has no number
			first[f.Branch] = f
		}
	}
	var commands []command
	for _, branch := range slices.Sorted(maps.Keys(first)) {
		id := first[branch].ID
		commands = append(commands, command{zeroLike(id), id, headsPrefix + branch})
	}
	return commands
}

// tellAfter runs the hooks that are told what a push has changed, as receive-pack does.
func (r *receiver) tellAfter(ctx context.Context, reports []report) {
	var input strings.Builder
	var refs []string
	for _, done := range reports {
		c := done.done
		if done.reason == "" && strings.HasPrefix(c.ref, headsPrefix) && c.old != c.new {
			fmt.Fprintf(&input, "%s %s %s\n", c.old, r.value(c.ref, c.new), c.ref) // a merge, perhaps
			refs = append(refs, c.ref)
		}
	}
	if len(refs) == 0 {
		return
	}
	for _, hook := range []struct {
		name, input string
		args        []string
	}{{postReceive, input.String(), nil}, {postUpdate, "", refs}} {
		path := findHook(r.hooks, hook.name)
		if path == "" {
			continue
		}
		cmd, err := hookCommand(ctx, path, hook.args...)
		if err == nil {
			cmd.Stdin = strings.NewReader(hook.input)
			err = r.runHook(ctx, cmd, nil)
		}
		if err != nil {
			r.say(fmt.Sprintf("hook %s: %v", hook.name, err)) // as in a push, that changes nothing
		}
	}
}

// oneAtATime is a writer for us and for what git and hooks say beside us.
type oneAtATime struct {
	mu sync.Mutex
	to io.Writer
}

func (w *oneAtATime) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}
