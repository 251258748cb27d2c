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
	// postSync and postXMPPReceive are hooks that git doesn't know.
	postSync        = "post-xmpp-sync"
	postXMPPReceive = "post-xmpp-receive"
	// laterTimeout is how long such a hook may take.
	laterTimeout = 10 * time.Minute
)

// PostSync runs the repository's own hook post-xmpp-sync, if it has one, with the remote's name as its argument and, on its standard input, a line
// `<id> <fallback ref> <branch ref>` for each fallback ref that isn't merged.
func (r *Repo) PostSync(ctx context.Context, remote string, unmerged []Fallback, out io.Writer) error {
	var input strings.Builder
	for _, f := range unmerged {
		fmt.Fprintf(&input, "%s %s %s\n", f.ID, f.Ref, headsPrefix+f.Branch)
	}
	return r.later(ctx, postSync, nil, strings.NewReader(input.String()), out, remote)
}

// PostReceive runs the repository's own hook post-xmpp-receive, if it has one, for what the sender's push has changed: in the environment of post-receive,
// and with the same on its standard input. The pusher doesn't wait for it.
func (r *Repo) PostReceive(ctx context.Context, sender Sender, record Record, out io.Writer) error {
	lines, err := record.open()
	if err != nil {
		return fmt.Errorf("hook %s: %w", postXMPPReceive, err)
	}
	defer lines.Close()
	return r.later(ctx, postXMPPReceive, sender.environ(), lines, out)
}

// later runs a hook of the repository's own that nobody waits for, if there is one: in the main work tree or, without one, the git dir. What it says
// goes to out. When ctx ends or it takes too long it ends, with all that it has started.
func (r *Repo) later(ctx context.Context, name string, environ []string, input io.Reader, out io.Writer, args ...string) error {
	own, err := r.ownHooks(ctx)
	if err != nil {
		return err
	}
	path := findHook(own, name)
	if path == "" {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, laterTimeout, fmt.Errorf("not done after %v", laterTimeout))
	defer cancel()
	cmd, err := hookCommand(ctx, path, args...)
	if err != nil {
		return fmt.Errorf("hook %s: %w", name, err)
	}
	cmd.Dir, cmd.Env = r.top(), append(append(Environ(), environ...), "GIT_DIR="+r.Dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, out, out
	err = runGroup(ctx, cmd, hookGrace)
	var file *fs.PathError
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.As(err, &file):
		err = file.Err // no path of ours
	}
	if err != nil {
		return fmt.Errorf("hook %s: %w", name, err)
	}
	return nil
}
