//go:build !windows

package repo

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// keeper is the name under which this executable stands between a receive-pack and the process that serves. Git removes its quarantine
// only when it ends by itself. When the serving process is killed, what git says goes to nobody, and SIGPIPE would end it: the keeper
// takes it then.
const keeper = "keep-receive-pack"

// keeperCommand prepares git under a keeper, in the environment of a push.
func keeperCommand(ctx context.Context, args []string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Args[0] = keeper
	return cmd, nil
}

// keep runs git to its end, whoever else ends. The result is git's exit status.
func keep(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	forGit := make(chan os.Signal, 1) // signals come to our whole group: git ends, and then we do
	signal.Notify(forGit, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	cmd := exec.Command("git", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &lenient{to: stdout}, &lenient{to: stderr}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	}
	return 128 // by a signal, or it can't be started
}

// A lenient writer writes for as long as that works, and is silent afterwards.
type lenient struct {
	to   io.Writer
	gone bool
}

func (w *lenient) Write(p []byte) (int, error) {
	if !w.gone {
		_, err := w.to.Write(p)
		w.gone = err != nil
	}
	return len(p), nil
}
