package xmppserver

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"time"

	"mellium.im/xmpp/stream"
)

// streamConn is a connection with one read buffer for its whole life. Being an
// io.ByteReader, it keeps xml.Decoder from putting a buffer of its own in front,
// so whoever reads next, be it TLS, the decoder of a restarted stream or the
// scanner, finds every byte that the one before didn't use.
//
// ReadByte is the way of the negotiation: it counts bytes and refuses restricted
// XML. Read is the way of TLS.
type streamConn struct {
	net.Conn
	br     *bufio.Reader
	last   byte
	budget int   // bytes that ReadByte may still return
	err    error // why the negotiation was ended from our side
}

func newStreamConn(conn net.Conn, budget int) *streamConn {
	return &streamConn{
		Conn:   conn,
		br:     bufio.NewReaderSize(conn, readBufferBytes),
		budget: budget,
	}
}

// Read implements io.Reader.
func (c *streamConn) Read(p []byte) (int, error) { return c.br.Read(p) }

// ReadByte implements io.ByteReader. It leaves out white space between tags,
// where mellium's feature negotiation doesn't expect any, and ends with a
// stream.Error at comments, DTDs and CDATA (RFC 6120 §11.1; nothing in a
// negotiation needs CDATA) and when the budget is used up.
func (c *streamConn) ReadByte() (byte, error) {
	for {
		if c.err != nil {
			return 0, c.err
		}
		if c.budget <= 0 {
			c.err = stream.PolicyViolation
			return 0, c.err
		}
		b, err := c.br.ReadByte()
		if err != nil {
			return 0, err
		}
		c.budget--
		if c.last == '>' && isSpace(b) {
			continue
		}
		if c.last == '<' && b == '!' {
			c.err = stream.RestrictedXML
			return 0, c.err
		}
		c.last = b
		return b, nil
	}
}

// Write implements io.Writer. Nothing is written after the negotiation was
// ended by abort.
func (c *streamConn) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Write(p)
}

// abort makes every later read and write of the negotiation return err.
func (c *streamConn) abort(err error) { c.err = err }

// farewell says that no more will be written, and waits a moment for the
// client's own end: a connection that is closed with something unread is reset,
// and the client might lose the last words.
func (c *streamConn) farewell(linger time.Duration) {
	half, ok := c.Conn.(interface{ CloseWrite() error }) // *tls.Conn, *net.TCPConn
	if ok && half.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(linger))
		_, _ = io.Copy(io.Discard, c.br)
	}
}

// ConnectionState is that of TLS, or zero without it. mellium asks for it.
func (c *streamConn) ConnectionState() tls.ConnectionState {
	if t, ok := c.Conn.(*tls.Conn); ok {
		return t.ConnectionState()
	}
	return tls.ConnectionState{}
}
