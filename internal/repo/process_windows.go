package repo

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// ownGroup keeps a console's Ctrl-C for us away from cmd.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// terminateGroup ends cmd; Windows has no signal that asks for it.
func terminateGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// KillGroup ends a command from [Repo.Command]. Its children see their pipes
// closed.
func KillGroup(cmd *exec.Cmd) error {
	if cmd.Process == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
