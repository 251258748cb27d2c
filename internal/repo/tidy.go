package repo

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"
)

const (
	// tidyTimeout is how long tidying may take.
	tidyTimeout = 20 * time.Second
	// maxTidyBranches bounds how many branches are looked at each time: one git process each.
	maxTidyBranches = 32
)

// TidyFallback deletes fallback refs, of whatever sender, whose commits are all in the branch of the same name by now: merged by hand,
// or by another push. A ref that a push moves meanwhile stays. If there are no fallback refs it costs one git process.
func (r *Repo) TidyFallback(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tidyTimeout)
	defer cancel()
	all, err := r.fallbackRefs(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	merged, err := r.merged(ctx, all, maxTidyBranches) // others have their turn another time
	if err != nil || len(merged) == 0 {
		return err
	}
	var changes bytes.Buffer
	for ref, id := range merged {
		fmt.Fprintf(&changes, "delete %s\x00%s\x00", ref, id)
	}
	return r.updateRefs(ctx, &changes)
}

// updateRefs carries out commands for `git update-ref --stdin -z`, all or none. A git that is cancelled removes its locks.
// Symbolic refs aren't followed: nobody pushes one, and its target isn't meant.
func (r *Repo) updateRefs(ctx context.Context, commands *bytes.Buffer) error {
	args := []string{"--git-dir=" + r.Dir, "update-ref", "--no-deref", "--stdin", "-z"}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = r.Dir, r.env, commands
	var said headWriter
	cmd.Stderr = &said
	if err := runGroup(ctx, cmd, StopGrace); err != nil {
		return fmt.Errorf("%w: %s", describe(ctx, args, err), firstLine(said.String()))
	}
	return nil
}
