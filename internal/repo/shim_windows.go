package repo

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// exeSuffix ends the names of executables.
const exeSuffix = ".exe"

// isExecutable is true: Windows has no mark for it.
func isExecutable(fs.FileInfo) bool { return true }

// identify returns what a folder of hooks for exe depends on: also the file
// itself, for a hard link or a copy stays behind when the program is replaced.
func identify(exe string) (string, error) {
	info, err := os.Stat(exe)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s\x00%d\x00%d", exe, info.Size(), info.ModTime().UnixNano()), nil
}

// link makes a hard link or, across volumes, a copy.
func link(exe, path string) error {
	if os.Link(exe, path) == nil {
		return nil
	}
	from, err := os.Open(exe)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}

// isLinkTo compares sizes: a folder's name stands for the rest.
func isLinkTo(exe, path string) bool {
	a, err := os.Stat(exe)
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && a.Size() == b.Size()
}
