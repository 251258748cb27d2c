package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// A Client is a stream to a peer, through the agent.
type Client struct {
	conn    *net.UnixConn
	in      *bufio.Reader
	buf     []byte // for frames that come in
	peer    string
	path    atomic.Pointer[transport.Path]
	tasks   sync.WaitGroup
	credits chan struct{} // for data that the agent has room for

	incoming *io.PipeReader
	received *io.PipeWriter
	sending  context.Context // until nothing can be sent any more, and why
	stopSend context.CancelCauseFunc

	writing sync.Mutex
	out     []byte
}

var (
	errGone      = fmt.Errorf("%w: git-remote-xmpp serve, whose connection was used, has ended: try again", transport.ErrLost)
	errCancelled = errors.New("given up")
)

// Dial has the agent of a folder open a stream. The error is an [ErrDeclined] if there is none, or if it doesn't work for whoever has this login.
func Dial(ctx context.Context, dir string, r Request) (*Client, error) {
	conn, err := connect(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDeclined, err)
	}
	c := &Client{conn: conn, in: bufio.NewReaderSize(conn, headerBytes+maxDataBytes), buf: make([]byte, maxDataBytes), credits: make(chan struct{}, windowFrames)}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = c.open(r)
	if !stop() && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close() // nothing is lost
		return nil, err
	}
	for range windowFrames {
		c.credits <- struct{}{}
	}
	c.incoming, c.received = io.Pipe()
	c.sending, c.stopSend = context.WithCancelCause(context.WithoutCancel(ctx))
	c.tasks.Go(c.receive)
	return c, nil
}

// open sends the request and reads the answers.
func (c *Client) open(r Request) error {
	if err := write(c.conn, greetTimeout, appendFrame(nil, typeRequest, r.encode())); err != nil {
		return fmt.Errorf("%w: %w", ErrDeclined, err)
	}
	if _, err := c.answer(greetTimeout, typeTaken); err != nil {
		return err
	}
	peer, err := c.answer(openTimeout, typeOpened)
	c.peer = clean(string(peer))
	if err == nil {
		err = c.conn.SetReadDeadline(time.Time{})
	}
	return err
}

// answer reads a frame that must be of a type, or says why there is no stream.
func (c *Client) answer(within time.Duration, want frameType) ([]byte, error) {
	err := c.conn.SetReadDeadline(time.Now().Add(within))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDeclined, err)
	}
	t, payload, err := readFrame(c.in, c.buf)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDeclined, err)
	case t == want:
		return payload, nil
	case t == typeDeclined:
		return nil, fmt.Errorf("%w: %s", ErrDeclined, clean(string(payload)))
	case t == typeFailed && want == typeOpened:
		failure, err := decodeFailure(payload)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDeclined, err)
		}
		return nil, failure
	default:
		return nil, fmt.Errorf("%w: %w", ErrDeclined, errMalformed)
	}
}

// Peer is the full JID of the other side, for people.
func (c *Client) Peer() string { return c.peer }

// Path is how packets go, by what the agent said last; nil if it has said nothing yet.
func (c *Client) Path() *transport.Path { return c.path.Load() }

// receive reads frames until the agent hangs up.
func (c *Client) receive() {
	for {
		t, payload, err := readFrame(c.in, c.buf)
		if err == nil {
			err = c.take(t, payload)
		}
		if err != nil {
			if !errors.Is(err, errMalformed) {
				err = errGone
			}
			c.fail(err)
			return
		}
	}
}

// fail ends both directions, as far as they haven't ended.
func (c *Client) fail(err error) {
	_ = c.received.CloseWithError(err) // never fails
	c.stopSend(err)
}

// take takes a frame; data waits until it is read.
func (c *Client) take(t frameType, payload []byte) error {
	switch t {
	case typeData:
		_, _ = c.received.Write(payload) // fails when nobody will read it
	case typeEnd:
		_ = c.received.Close() // never fails
	case typeCredit:
		select {
		case c.credits <- struct{}{}:
		default:
			return fmt.Errorf("%w: more credits than data", errMalformed)
		}
	case typePath:
		path, err := decodePath(payload)
		if err != nil {
			return err
		}
		c.path.Store(&path)
	case typeFailed, typeStopped:
		failure, err := decodeFailure(payload)
		if err != nil {
			return err
		}
		if t == typeFailed {
			c.fail(failure)
		} else {
			c.stopSend(failure)
		}
	default:
		return fmt.Errorf("%w: type %d", errMalformed, t)
	}
	return nil
}

// Read reads from the peer.
func (c *Client) Read(p []byte) (int, error) { return c.incoming.Read(p) }

// Write writes to the peer; it blocks while the agent has no room.
func (c *Client) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		select {
		case <-c.credits:
		case <-c.sending.Done():
		}
		if c.sending.Err() != nil {
			return n, context.Cause(c.sending)
		}
		part := p[:min(len(p), maxDataBytes)]
		if err := c.send(typeData, part); err != nil {
			return n, err
		}
		n += len(part)
		p = p[len(part):]
	}
	return n, nil
}

// CloseWrite ends our direction.
func (c *Client) CloseWrite() error { return c.send(typeEnd, nil) }

// Cancel gives up both directions.
func (c *Client) Cancel(code protocol.Code) {
	_ = c.send(typeCancel, encodeCode(code)) // an agent that is gone has cancelled by itself
	c.fail(errCancelled)
	_ = c.incoming.CloseWithError(errCancelled) // never fails
}

// Close hangs up. What hasn't ended is given up.
func (c *Client) Close() {
	_ = c.conn.Close() // nothing is lost
	c.fail(errCancelled)
	_ = c.incoming.Close() // never fails
	c.tasks.Wait()
}

func (c *Client) send(t frameType, payload []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.out = appendFrame(c.out[:0], t, payload)
	if write(c.conn, writeTimeout, c.out) == nil {
		return nil
	}
	select { // what the agent said before it went
	case <-c.sending.Done():
		return context.Cause(c.sending)
	case <-time.After(lastWords):
		return errGone
	}
}
