//go:build !linux

package agent

import (
	"fmt"
	"net"
)

// checkOwner leaves it to the modes of the folder and the socket.
func checkOwner(*net.UnixConn) error { return nil }

func shortAddress(dir string) (address string, release func(), err error) {
	return "", nil, fmt.Errorf("%s: path too long for a socket: set XDG_RUNTIME_DIR to a shorter one", dir)
}
