package direct

import (
	"net"

	"golang.org/x/sys/unix"
)

// unsentBytes is what the socket of a stream keeps beside what is on its way.
const unsentBytes = 128 << 10

// tuneStream has a socket keep little that it can't send yet.
func tuneStream(conn *net.TCPConn) {
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentBytes)
		})
	}
}
