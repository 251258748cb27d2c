// Package disk knows what differs between the file systems of operating systems.
package disk

import (
	"errors"
	"syscall"
)

// IsFull tells whether an error says that there is no space left.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, errFull)
}
