package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"git-remote-xmpp/protocol"
)

// A tunnel is a service's stream with a watch on its progress. It ends when ctx does.
type tunnel struct {
	stream  Stream
	reader  *protocol.Reader
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timeout time.Duration
	watch   *time.Timer
	release func() bool
	gaveUp  chan struct{} // closed when the stream was given up because ctx ended
}

func newTunnel(ctx context.Context, stream Stream, timeout time.Duration) *tunnel {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &tunnel{stream: stream, reader: protocol.NewReader(stream), ctx: ctx, cancel: cancel, timeout: timeout, gaveUp: make(chan struct{})}
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

// stop ends the watch; the stream is given up if it hasn't ended.
func (t *tunnel) stop() {
	t.watch.Stop()
	if t.release() {
		t.stream.Cancel(protocol.CodeCancelled)
	} else {
		<-t.gaveUp
	}
	t.cancel(nil)
}

func (t *tunnel) progress() { t.watch.Reset(t.timeout) }

func (t *tunnel) next() (protocol.Message, error) {
	m, err := t.reader.Next()
	if err == nil {
		t.progress()
	}
	return m, err
}

func (t *tunnel) write(m protocol.Message) error {
	err := protocol.Write(t.stream, m)
	if err == nil {
		t.progress()
	}
	return err
}

// ErrTimeout says that a service was cancelled because nothing moved for too long.
var ErrTimeout = errors.New("no progress")

// explain says why a read or write failed: because we gave up, or because of the stream.
func (t *tunnel) explain(err error) error {
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

// run carries the data of an accepted service until it has ended. It doesn't wait for git to hang up: git sees the
// end of what we write when this process has ended, for the git that started us as its subcommand holds our files, too.
func (h *Helper) run(t *tunnel, in io.Reader, rewrite func(context.Context, io.Reader, io.Writer) error) error {
	hungUp := make(chan struct{})
	go t.send(in, hungUp) // a read that git doesn't end ends with the process

	out := &output{tunnel: t, stderr: h.Err}
	err := out.copyTo(gitWriter{h.Out}, rewrite)
	if err != nil {
		err = t.explain(err)
		t.cancel(err)
	}
	if closer, ok := h.Out.(io.Closer); ok {
		_ = closer.Close() // the data is with git already
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return out.verdict(h.Name, hungUp)
}

// send copies what git says to the service until git hangs up, which closes hungUp, or the service has ended.
func (t *tunnel) send(in io.Reader, hungUp chan<- struct{}) {
	buf := make([]byte, protocol.MaxDataBytes)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if t.write(protocol.Data(buf[:n])) != nil {
				return // the reader learns the same, or that the service has ended
			}
		}
		if errors.Is(err, io.EOF) {
			close(hungUp) // first: the service may end of it
			_ = t.stream.CloseWrite()
			return
		}
		if err != nil {
			t.cancel(err)
			return
		}
	}
}
