//go:build !unix

package disk

import "syscall"

// errFull is ERROR_DISK_FULL.
const errFull = syscall.Errno(112)

// SyncDir does nothing: folders can't be synced here.
func SyncDir(string) error { return nil }
