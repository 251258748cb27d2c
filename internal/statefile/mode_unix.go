//go:build unix

package statefile

import (
	"io/fs"
	"os"
	"syscall"
)

// modeCounts says that mode bits tell who may read and write a file.
const modeCounts = true

// owner tells whose a file is, and whether that is us; or root, who can do everything anyway.
func owner(info fs.FileInfo) (uid int, ours bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, false
	}
	uid = int(stat.Uid)
	return uid, uid == os.Geteuid() || uid == 0
}
