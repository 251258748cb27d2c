//go:build !linux

package transport

// setQuickAck is nil: other kernels can't be asked.
var setQuickAck func(fd uintptr)
