//go:build linux || darwin || freebsd

package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// checkUser refuses a connection unless the user at its other end, as the kernel tells it, is ours.
func checkUser(conn *net.UnixConn, peer func(fd int) (uid uint32, err error)) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var uid uint32
	var peerErr error
	err = raw.Control(func(fd uintptr) { uid, peerErr = peer(int(fd)) })
	if err := errors.Join(err, os.NewSyscallError("ask who is at the other end", peerErr)); err != nil {
		return err
	}
	if int(uid) != os.Geteuid() {
		return fmt.Errorf("the other side belongs to user %d", uid)
	}
	return nil
}
