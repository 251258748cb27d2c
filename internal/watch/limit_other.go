//go:build !(darwin || dragonfly || freebsd || netbsd || openbsd)

package watch

const (
	// maxWatches is how many folders a Watcher watches: others need some too.
	maxWatches = 32768
	// filesCount says that files in a watched folder count.
	filesCount = false
)
