//go:build !unix

package statefile

import "io/fs"

// modeCounts says that mode bits tell who may read and write a file. On
// Windows they don't: what is in a user's profile is for that user.
const modeCounts = false

// owner tells whose a file is: there, that of whoever gets at it.
func owner(fs.FileInfo) (uid int, ours bool) { return -1, true }
