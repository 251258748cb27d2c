// Package tunnel is the asking side's end of a service: a stream of frames to a peer, with a watch on its progress.
//
// It knows the frames of package protocol. It must not know what carries the stream,
// nor what the service is for.
package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"git-remote-xmpp/protocol"
)

// A Stream is a two-way stream to a peer.
type Stream interface {
	io.ReadWriter
	// CloseWrite ends our direction.
	CloseWrite() error
	// Cancel gives up both directions, with a reason for the peer.
	Cancel(code protocol.Code)
}

// ErrTimeout says that a service was cancelled because nothing moved for too long.
var ErrTimeout = errors.New("no progress")

// A Tunnel is a service's stream that is given up when nothing moves on it for too long, or when its context ends. One
// goroutine may read and another write.
type Tunnel struct {
	stream  Stream
	frame   []byte // the last one, for its room; the writer's
	reader  *protocol.Reader
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timeout time.Duration
	watch   *time.Timer
	release func() bool
	gaveUp  chan struct{} // closed when the stream was given up because ctx ended
}

// New watches a stream. [Tunnel.Stop] must be called at its end.
func New(ctx context.Context, stream Stream, timeout time.Duration) *Tunnel {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &Tunnel{stream: stream, reader: protocol.NewReader(stream), ctx: ctx, cancel: cancel, timeout: timeout, gaveUp: make(chan struct{})}
	t.watch = time.AfterFunc(timeout, func() { cancel(protocol.CodeTimeout) })
	t.release = context.AfterFunc(ctx, func() {
		defer close(t.gaveUp)
		code := protocol.CodeCancelled
		if errors.Is(context.Cause(ctx), protocol.CodeTimeout) {
			code = protocol.CodeTimeout
		}
		stream.Cancel(code)
	})
	return t
}

// Stop ends the watch; the stream is given up if it hasn't ended.
func (t *Tunnel) Stop() {
	t.watch.Stop()
	if t.release() {
		t.stream.Cancel(protocol.CodeCancelled)
	} else {
		<-t.gaveUp
	}
	t.cancel(nil)
}

// Pause ends the watch until the next progress: nothing is expected of the peer.
func (t *Tunnel) Pause() { t.watch.Stop() }

// Progress says that something has moved.
func (t *Tunnel) Progress() { t.watch.Reset(t.timeout) }

// Context is done when the stream was given up.
func (t *Tunnel) Context() context.Context { return t.ctx }

// Cancel gives the stream up.
func (t *Tunnel) Cancel(cause error) { t.cancel(cause) }

// CloseWrite ends our direction.
func (t *Tunnel) CloseWrite() error { return t.stream.CloseWrite() }

// Next returns the next message, see [protocol.Reader.Next].
func (t *Tunnel) Next() (protocol.Message, error) {
	m, err := t.reader.Next()
	if err == nil {
		t.Progress()
	}
	return m, err
}

// Write sends a message; it blocks while the peer takes no more.
func (t *Tunnel) Write(m protocol.Message) error {
	frame, err := protocol.Append(t.frame[:0], m)
	if err != nil {
		return err
	}
	t.frame = frame
	if _, err = t.stream.Write(frame); err == nil {
		t.Progress()
	}
	return err
}

// Open asks for a service and waits for its turn; queued is told how many come before. A refusal is a [*protocol.Refuse].
func (t *Tunnel) Open(open *protocol.Open, queued func(before uint32)) (*protocol.Accept, error) {
	if err := t.Write(open); err != nil {
		return nil, err
	}
	for {
		m, err := t.Next()
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *protocol.Accept:
			return m, nil
		case *protocol.Refuse:
			return nil, m
		case *protocol.Queued:
			queued(m.Before)
		default:
			return nil, Unexpected(m)
		}
	}
}

// Unexpected is the error of a message that has no place where it came.
func Unexpected(m protocol.Message) error {
	return fmt.Errorf("%w: unexpected frame of type %#02x", protocol.ErrMalformed, byte(m.Type()))
}

// Explain says why a read or write failed: because we gave up, or because of the stream.
func (t *Tunnel) Explain(err error) error {
	switch cause := context.Cause(t.ctx); {
	case errors.Is(cause, protocol.CodeTimeout):
		return fmt.Errorf("%w for %v: the transfer was cancelled on both sides (see xmpp.timeout)", ErrTimeout, t.timeout)
	case cause != nil:
		return cause
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the other side ended the stream too early")
	}
	return err
}
