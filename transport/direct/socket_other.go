//go:build !linux && !darwin && !freebsd

package direct

// tuneSocket does nothing: packets that are too large are fragmented.
func tuneSocket(uintptr) {}
