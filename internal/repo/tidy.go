package repo

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
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
	fallback, err := r.refs(ctx, strings.TrimSuffix(syncedPrefix, "/"))
	if err != nil || len(fallback) == 0 {
		return err
	}
	branches := make(map[string]bool)
	for ref := range fallback {
		if _, branch, ok := strings.Cut(strings.TrimPrefix(ref, syncedPrefix), "/"); ok {
			branches[branch] = true
		}
	}
	var changes bytes.Buffer
	seen := 0
	for branch := range branches { // in no order: others have their turn another time
		if seen++; seen > maxTidyBranches {
			break
		}
		merged, err := r.mergedInto(ctx, branch)
		if err != nil {
			return err
		}
		for ref, id := range merged {
			fmt.Fprintf(&changes, "delete %s\x00%s\x00", ref, id)
		}
	}
	if changes.Len() == 0 {
		return nil
	}
	return r.updateRefs(ctx, &changes)
}

// mergedInto returns the fallback refs for a branch that hold nothing that the branch doesn't.
func (r *Repo) mergedInto(ctx context.Context, branch string) (map[string]string, error) {
	out, err := r.git(ctx, nil, "for-each-ref", "--format=%(objectname) %(refname)",
		"--merged="+headsPrefix+branch, syncedPrefix+"*/"+branch)
	if exitStatus(err) > 0 {
		return nil, nil // there is no such branch
	}
	return parseRefs(out), err
}

// updateRefs carries out commands for `git update-ref --stdin -z`, all or none. A git that is cancelled removes its locks.
// Symbolic refs aren't followed: nobody pushes one, and its target isn't meant.
func (r *Repo) updateRefs(ctx context.Context, commands *bytes.Buffer) error {
	args := []string{"--git-dir=" + r.Dir, "update-ref", "--no-deref", "--stdin", "-z"}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.WaitDelay = r.Dir, r.env, commands, StopGrace
	ownGroup(cmd)
	cmd.Cancel = func() error { return terminateGroup(cmd) }
	if _, err := cmd.Output(); err != nil {
		return describe(ctx, args, err)
	}
	return nil
}
