//go:build !windows

package repo

import (
	"io/fs"
	"os"
)

// exeSuffix ends the names of executables.
const exeSuffix = ""

func isExecutable(info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }

// identify returns what a folder of hooks for exe depends on: its path only,
// since a link to it stays good when the program is replaced.
func identify(exe string) (string, error) { return exe, nil }

func link(exe, path string) error { return os.Symlink(exe, path) }

func isLinkTo(exe, path string) bool {
	target, err := os.Readlink(path)
	return err == nil && target == exe
}
