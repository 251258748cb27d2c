//go:build !linux && !darwin && !freebsd

package agent

import "net"

// checkOwner leaves it to who may use the folder: not every system, and not Windows, tells who is at the other end.
func checkOwner(*net.UnixConn) error { return nil }
