package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"git-remote-xmpp/internal/statefile"
)

const (
	// probeTimeout is how long a service manager has to answer, runTimeout to do something: to start a serve takes a login.
	probeTimeout = 10 * time.Second
	runTimeout   = 2 * time.Minute
	// outputGrace is how long its output may stay open after that.
	outputGrace = 2 * time.Second
)

// ErrChanged says that a file isn't as it was installed.
var ErrChanged = errors.New("it was changed since serve --install wrote it: --force overwrites or removes it all the same")

// Install writes the file, has the service manager start the service if it answers, and says what it has done and what is left to do.
func (p Plan) Install(ctx context.Context, force bool, out io.Writer) error {
	if err := p.check(force); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.File), 0o700); err != nil {
		return err
	}
	if err := statefile.Replace(p.File, p.Content); err != nil {
		return err
	}
	fmt.Fprintf(out, "wrote %s\n", p.File)
	for _, c := range p.Before {
		_ = command(ctx, probeTimeout, c) // nothing to end, or the next one fails, too
	}
	err := p.run(ctx, p.Enable, out)
	for _, hint := range p.Hints {
		fmt.Fprintln(out, hint)
	}
	return err
}

// Uninstall ends the service, if the service manager answers, and removes the file.
func (p Plan) Uninstall(ctx context.Context, force bool, out io.Writer) error {
	if err := p.check(force); err != nil {
		return err
	}
	if err := p.run(ctx, p.Disable, out); err != nil {
		fmt.Fprintf(out, "%v\n", err) // it may never have been started
	}
	if err := os.Remove(p.File); err != nil {
		return err
	}
	fmt.Fprintf(out, "removed %s\n", p.File)
	return p.run(ctx, p.Reload, out)
}

// check tells whether the file is there, and is one of ours that nobody has changed.
func (p Plan) check(force bool) error {
	content, err := os.ReadFile(p.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("nothing is installed: %w", err) // which names the file
	case err != nil:
		return err
	case !force && !bytes.Equal(content, p.Content) && !p.comment.signed(plainText(content)):
		return fmt.Errorf("%s: %w", p.File, ErrChanged)
	}
	return nil
}

// run runs commands, or says that the user should, where the service manager doesn't answer.
func (p Plan) run(ctx context.Context, commands [][]string, out io.Writer) error {
	if len(commands) == 0 {
		return nil
	}
	if command(ctx, probeTimeout, p.Probe) != nil {
		fmt.Fprintf(out, "%s doesn't answer here; where it does, run:\n", p.Probe[0])
		for _, c := range commands {
			fmt.Fprintf(out, "    %s\n", strings.Join(c, " "))
		}
		return nil
	}
	for _, c := range commands {
		if err := command(ctx, runTimeout, c); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(c, " "), err)
		}
		fmt.Fprintf(out, "ran %s\n", strings.Join(c, " "))
	}
	return nil
}

// command runs a command; its error has the first line of what it says.
func command(ctx context.Context, within time.Duration, args []string) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = outputGrace
	said, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("not done after %v", within)
	}
	if line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n"); err != nil && line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}
