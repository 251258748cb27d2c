package helper

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// isGone tells whether an error says that nobody reads from a pipe any more.
func isGone(err error) bool {
	return errors.Is(err, windows.ERROR_NO_DATA) || errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, syscall.EPIPE)
}
