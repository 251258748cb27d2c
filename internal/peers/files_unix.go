//go:build unix

package peers

import (
	"cmp"
	"os"
)

// modeCounts says that mode bits tell who may read and write a file.
const modeCounts = true

// syncDir makes a rename in dir last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return cmp.Or(d.Sync(), d.Close())
}
