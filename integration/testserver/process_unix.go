//go:build unix

package testserver

import (
	"errors"
	"os"
	"syscall"
)

// signalGroup sends SIGTERM, or SIGKILL, to every process of a group. It returns
// os.ErrProcessDone if there is none.
func signalGroup(group int, kill bool) error {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	err := syscall.Kill(-group, sig)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}
