//go:build !windows

package disk

// Patiently does something with a file: here it doesn't matter who else has the file open.
func Patiently(do func() error) error { return do() }
