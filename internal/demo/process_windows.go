package demo

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps a console's Ctrl-C away from a command: we end it.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// terminate ends a command; Windows has no signal that asks for it. What it has started sees its pipes closed.
func terminate(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// kill does nothing: there is no group to end.
func kill(*exec.Cmd) {}
