//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package watch

const (
	// maxWatches is how many descriptors a Watcher takes: each file in a folder
	// that is watched costs one. The rest is for connections and processes.
	maxWatches = 1024
	// filesCount says that files in a watched folder count.
	filesCount = true
)
