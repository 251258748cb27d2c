//go:build !windows

package helper

import (
	"errors"
	"syscall"
)

// isGone tells whether an error says that nobody reads from a pipe any more.
func isGone(err error) bool { return errors.Is(err, syscall.EPIPE) }
