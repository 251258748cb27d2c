//go:build unix

package notice

import (
	"os"

	"golang.org/x/sys/unix"
)

// isForeground tells whether the terminal is ours: as a job in the background git draws no meters, either.
func isForeground(terminal *os.File) bool {
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}
