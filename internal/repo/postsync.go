package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

const (
	// postSync is a hook that git doesn't know.
	postSync = "post-xmpp-sync"
	// postSyncTimeout is how long it may take.
	postSyncTimeout = 10 * time.Minute
)

// PostSync runs the repository's own hook post-xmpp-sync, if it has one: in the main work tree or, without one, the git dir, with the remote's name as
// its argument and, on its standard input, a line `<id> <fallback ref> <branch ref>` for each fallback ref that isn't merged. What it says
// goes to out. When ctx ends or it takes too long it ends, with all that it has started.
func (r *Repo) PostSync(ctx context.Context, remote string, unmerged []Fallback, out io.Writer) error {
	own, err := r.ownHooks(ctx)
	if err != nil {
		return err
	}
	path := findHook(own, postSync)
	if path == "" {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, postSyncTimeout, fmt.Errorf("not done after %v", postSyncTimeout))
	defer cancel()
	cmd, err := hookCommand(ctx, path, remote)
	if err != nil {
		return fmt.Errorf("hook %s: %w", postSync, err)
	}
	var input strings.Builder
	for _, f := range unmerged {
		fmt.Fprintf(&input, "%s %s %s\n", f.ID, f.Ref, headsPrefix+f.Branch)
	}
	cmd.Dir, cmd.Env = r.top(), append(Environ(), "GIT_DIR="+r.Dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input.String()), out, out
	err = runGroup(ctx, cmd, hookGrace)
	var file *fs.PathError
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.As(err, &file):
		err = file.Err // no path of ours
	}
	if err != nil {
		return fmt.Errorf("hook %s: %w", postSync, err)
	}
	return nil
}
