//go:build !windows

package repo

import (
	"context"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// becomeHook replaces this process by the hook; it returns only if it can't. A
// hook that isn't a program and has no interpreter line is not handed to a
// shell.
func becomeHook(_ context.Context, path string, args, environ []string, _ io.Reader, _, _ io.Writer) (int, error) {
	err := syscall.Exec(path, append([]string{path}, args...), environ)
	return 0, &os.PathError{Op: "exec", Path: "hook", Err: err}
}

// hookCommand prepares a hook as a child.
func hookCommand(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	return exec.CommandContext(ctx, path, args...), nil
}
