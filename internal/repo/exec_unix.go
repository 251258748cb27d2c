//go:build !windows

package repo

import (
	"context"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// becomeHook runs the hook as a child tied to our lifeline. Without one, if the hook's input is ours, it replaces this process by the
// hook, and returns only if it can't. A hook that isn't a program and has no interpreter line is not handed to a shell.
func becomeHook(ctx context.Context, path string, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	if os.Getenv(envLifeline) == "" && stdin == io.Reader(os.Stdin) {
		err := syscall.Exec(path, append([]string{path}, args...), environ)
		return 0, &os.PathError{Op: "exec", Path: "hook", Err: err}
	}
	ctx, stop := withLifeline(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, stdin, stdout, stderr
	return runTied(ctx, cmd)
}

// hookCommand prepares a hook as a child.
func hookCommand(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	return exec.CommandContext(ctx, path, args...), nil
}
