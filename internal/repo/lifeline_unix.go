//go:build !windows

package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// firstExtraFile is the descriptor of the first of [exec.Cmd.ExtraFiles].
const firstExtraFile = 3

// A Lifeline ties the hooks of a command to this process: they end when it is cut, and when this process ends in whatever
// way. Git then ends by itself and cleans up, as it doesn't when it gets a signal.
type Lifeline struct{ theirs, ours *os.File }

// NewLifeline gives a command from [Repo.Command] a lifeline, before it is started. One that doesn't run our hooks gets none: nobody
// would take it from the environment again.
func NewLifeline(cmd *exec.Cmd) (*Lifeline, error) {
	if !slices.ContainsFunc(cmd.Env, func(kv string) bool { return strings.HasPrefix(kv, envHooks+"=") }) {
		return &Lifeline{}, nil // closing no file is an error that nobody looks at
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", envLifeline, firstExtraFile+len(cmd.ExtraFiles)))
	cmd.ExtraFiles = append(cmd.ExtraFiles, theirs)
	return &Lifeline{theirs, ours}, nil
}

// Started is to be called when the command was started, or couldn't be.
func (l *Lifeline) Started() { _ = l.theirs.Close() }

// Cut ends the hooks. It may be called more than once.
func (l *Lifeline) Cut() { _ = l.ours.Close() }

// withLifeline returns a context for a hook that ends when the hook's lifeline is cut, or by a signal.
func withLifeline(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	line := lifeline()
	if line == nil {
		return ctx, stop
	}
	go func() { // ends with the process, if not before
		_, _ = line.Read(make([]byte, 1)) // nobody writes: it returns at the end
		stop()
	}()
	return ctx, stop
}

// lifeline is ours if we are a hook that has one. Children don't get it.
func lifeline() *os.File {
	fd, err := strconv.Atoi(os.Getenv(envLifeline))
	if err != nil || fd < firstExtraFile {
		return nil
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "lifeline")
}

// runTied runs a hook as a child that ends when ctx does, with all that it started, and returns its exit status.
func runTied(ctx context.Context, cmd *exec.Cmd) (int, error) {
	err := runGroup(ctx, cmd, hookGrace)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode(), nil
	case errors.As(err, &exit), ctx.Err() != nil:
		return 1, nil // by a signal: git takes it for a refusal
	}
	return 0, err
}
