package direct

import "syscall"

// socketBytes is how much may wait in a socket, if the system allows that much.
const socketBytes = 4 << 20

// tune sets what a socket should have; what the system doesn't allow is left.
func tune(conn Socket) {
	_ = conn.SetReadBuffer(socketBytes)
	_ = conn.SetWriteBuffer(socketBytes)
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(tuneSocket)
		}
	}
}
