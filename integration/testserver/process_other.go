//go:build !unix

package testserver

import (
	"errors"
	"syscall"
)

// ownGroup has nothing to ask for: these servers don't run here.
func ownGroup() *syscall.SysProcAttr { return nil }

// signalGroup can't be reached: Available finds none of the servers here.
func signalGroup(int, bool) error { return errors.ErrUnsupported }
