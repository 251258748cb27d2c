package helper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"git-remote-xmpp/protocol"
)

const (
	// gitGrace is how long git has to hang up after the service has ended.
	gitGrace = 2 * time.Second
	// maxStderrLineBytes is the longest piece of a line of the other side's standard error that is shown at once.
	maxStderrLineBytes = 1024
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
}

func newTunnel(ctx context.Context, stream Stream, timeout time.Duration) *tunnel {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &tunnel{stream: stream, reader: protocol.NewReader(stream), ctx: ctx, cancel: cancel, timeout: timeout}
	t.watch = time.AfterFunc(timeout, func() { cancel(protocol.CodeTimeout) })
	t.release = context.AfterFunc(ctx, func() {
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

// run carries the data of an accepted service until it has ended.
func (h *Helper) run(t *tunnel, in io.Reader, rewrite func(context.Context, io.Reader, io.Writer) error) error {
	sent := make(chan error, 1)
	go func() { sent <- t.send(in) }()

	out := &output{tunnel: t, stderr: h.Err}
	err := out.copyTo(h.Out, rewrite)
	if err != nil {
		err = t.explain(err)
		t.cancel(err)
	}
	if closer, ok := h.Out.(io.Closer); ok {
		_ = closer.Close() // git hangs up when it sees the end; the data is with it already
	}
	hungUp := false
	select {
	case <-sent:
		hungUp = true
	case <-time.After(gitGrace): // git holds on to its end: the read ends with the process
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return out.verdict(h.Name, hungUp)
}

// send copies what git says to the service until git hangs up.
func (t *tunnel) send(in io.Reader) error {
	buf := make([]byte, protocol.MaxDataBytes)
	for {
		n, err := in.Read(buf)
		if n > 0 {
			if err := t.write(protocol.Data(buf[:n])); err != nil {
				return err // the reader learns the same, or that the service has ended
			}
		}
		if errors.Is(err, io.EOF) {
			return t.stream.CloseWrite()
		}
		if err != nil {
			t.cancel(err)
			return err
		}
	}
}

// output is what comes from the service: a reader of its standard output, that shows its
// standard error on the way and keeps how it ended.
type output struct {
	*tunnel
	stderr io.Writer
	rest   []byte
	line   []byte // of standard error, incomplete
	done   *protocol.Done
}

func (o *output) copyTo(out io.Writer, rewrite func(context.Context, io.Reader, io.Writer) error) error {
	if rewrite != nil {
		if err := rewrite(o.ctx, o, out); err != nil {
			if o.done != nil { // the service failed before it said anything; that is the news
				return nil
			}
			return err
		}
	}
	_, err := io.CopyBuffer(onlyWriter{out}, onlyReader{o}, make([]byte, protocol.MaxDataBytes))
	return err
}

// onlyReader and onlyWriter keep io.Copy from taking shortcuts around Read and Write.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

// Read gives the service's standard output; it ends with the service.
func (o *output) Read(p []byte) (int, error) {
	for len(o.rest) == 0 {
		if o.done != nil {
			return 0, io.EOF
		}
		m, err := o.next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		switch m := m.(type) {
		case protocol.Data:
			o.rest = m
		case protocol.Stderr:
			o.show(m)
		case *protocol.Done:
			o.done = m
			o.showLine(o.line)
		default:
			return 0, fmt.Errorf("%w: unexpected frame of type %#02x", protocol.ErrMalformed, byte(m.Type()))
		}
	}
	n := copy(p, o.rest)
	o.rest = o.rest[n:]
	return n, nil
}

// show writes lines of the other side's standard error the way git shows such, without control characters. A line that isn't
// complete waits for its end.
func (o *output) show(text []byte) {
	o.line = append(o.line, text...)
	for {
		line, rest, complete := bytes.Cut(o.line, []byte("\n"))
		if !complete && len(line) < maxStderrLineBytes {
			return
		}
		o.showLine(line)
		o.line = append(o.line[:0], rest...)
	}
}

func (o *output) showLine(line []byte) {
	clean := strings.Map(func(r rune) rune {
		if r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r >= 0xa0) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(string(line), "?"))
	if clean != "" {
		fmt.Fprintf(o.stderr, "remote: %s\n", clean)
	}
}

// verdict is the error that the end of the service means. If git hung up first it knew all it wanted, and how the service
// took that is of no interest.
func (o *output) verdict(name string, hungUp bool) error {
	switch {
	case o.done.Code != 0:
		return fmt.Errorf("%s: %w", name, &protocol.Refuse{Code: o.done.Code})
	case o.done.Status != 0 && !hungUp:
		return fmt.Errorf("%s: %w", name, &protocol.Refuse{Code: protocol.CodeRefused, Text: fmt.Sprintf("git there ended with exit status %d", o.done.Status)})
	}
	return nil
}
