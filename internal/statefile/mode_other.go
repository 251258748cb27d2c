//go:build !unix

package statefile

// modeCounts says that mode bits tell who may read and write a file. On
// Windows they don't: what is in a user's profile is for that user.
const modeCounts = false
