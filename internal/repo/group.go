package repo

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"time"
)

// hookGrace is how long a hook of the repository's own has to end when it is told to.
const hookGrace = 300 * time.Millisecond

// runGroup runs a command that was made with ctx in a group of its own. When ctx ends the group is asked to end; after the grace whatever is left of it is killed.
func runGroup(ctx context.Context, cmd *exec.Cmd, grace time.Duration) error {
	ownGroup(cmd)
	cmd.WaitDelay = grace
	cmd.Cancel = func() error { return terminateGroup(cmd) }
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		_ = KillGroup(cmd) // no error if nothing is left
	case errors.Is(err, exec.ErrWaitDelay):
		return nil // it has left something behind that holds its output
	}
	return err
}

// top is the folder that git's own commands would be run in: of the main work tree, if it is where it usually is, or else the git dir.
func (r *Repo) top() string {
	if !r.Bare && filepath.Base(r.Dir) == ".git" {
		return filepath.Dir(r.Dir)
	}
	return r.Dir
}
