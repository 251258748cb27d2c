//go:build !unix

package notice

import "os"

// isForeground is always true: there are no jobs.
func isForeground(*os.File) bool { return true }
