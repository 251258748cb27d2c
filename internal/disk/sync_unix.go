//go:build unix

package disk

import (
	"cmp"
	"errors"
	"os"
)

// errFull is another error of a full disk; there is none here.
var errFull = errors.New("disk full")

// SyncDir makes a rename in dir last.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}
