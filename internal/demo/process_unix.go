//go:build unix

package demo

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a command and all that it starts into a process group, away from the terminal's Ctrl-C: we end it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminate asks a command and what it has started to end.
func terminate(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// kill ends what is left of a command after Wait.
func kill(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // most often nothing is left
}
