//go:build unix

package statefile

// modeCounts says that mode bits tell who may read and write a file.
const modeCounts = true
