package agent

import (
	"net"

	"golang.org/x/sys/unix"
)

// checkOwner refuses a connection with a process of somebody else.
func checkOwner(conn *net.UnixConn) error {
	return checkUser(conn, func(fd int) (uint32, error) {
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return 0, err
		}
		return cred.Uid, nil
	})
}
