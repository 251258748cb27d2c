//go:build !linux

package direct

import "net"

// streamBufferBytes is what the socket of a stream keeps, together with what is on its way.
const streamBufferBytes = 512 << 10

// tuneStream has a socket keep little that it can't send yet.
func tuneStream(conn *net.TCPConn) { _ = conn.SetWriteBuffer(streamBufferBytes) }
