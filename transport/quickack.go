package transport

import (
	"net"
	"syscall"
	"time"
)

// Servers that leave Nagle's algorithm on (RFC 9293, 3.7.4) hold back the end of an answer until what went before is
// acknowledged, and the kernel delays that for up to 40 ms at each step of a login. A quickAckConn asks
// the kernel to acknowledge at once, but in the middle of a burst, where it would cost more than it saves.
type quickAckConn struct {
	net.Conn
	raw   syscall.RawConn
	last  time.Time // of the last read; for the reader alone
	burst int       // bytes read since the last pause
}

const (
	burstPause = 20 * time.Millisecond
	burstBytes = 64 << 10
)

// quickAck wraps a TCP connection where the kernel can be asked.
func quickAck(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok || setQuickAck == nil {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	c := &quickAckConn{Conn: conn, raw: raw}
	c.ask()
	return c
}

// Read reads, and asks for the next acknowledgement to be sent at once.
func (c *quickAckConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	now := time.Now()
	if now.Sub(c.last) > burstPause {
		c.burst = 0
	}
	c.last = now
	if c.burst += n; c.burst < burstBytes {
		c.ask()
	}
	return n, err
}

// ask is a hint: that the kernel doesn't take it changes nothing but the pace.
func (c *quickAckConn) ask() { _ = c.raw.Control(setQuickAck) }
