//go:build unix

package serve

import (
	"os"
	"syscall"
)

// ownedByUs tells whether a folder belongs to the user that we are: git works in such without asking its settings.
func ownedByUs(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Geteuid())
}
