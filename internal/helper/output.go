package helper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
)

const (
	// gitGrace is how long git has to hang up after the service has failed without a word.
	gitGrace = 2 * time.Second
	// maxStderrLineBytes is the longest piece of a line of the other side's standard error that is shown at once.
	maxStderrLineBytes = 1024
)

// A gitWriter is git's end of standard output.
type gitWriter struct{ io.Writer }

// Write writes to git. A git that has gone away has said why, or was told to.
func (w gitWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if isGone(err) {
		err = fmt.Errorf("%w: git hung up: %w", ErrReported, err)
	}
	return n, err
}

// output is what comes from the service: a reader of its standard output, that shows its
// standard error on the way and keeps how it ended.
type output struct {
	*tunnel.Tunnel
	stderr io.Writer
	watch  func(sent bool, data []byte)
	rest   []byte
	line   []byte // of standard error, incomplete
	told   bool   // there was something on standard error
	done   *protocol.Done
}

func (o *output) copyTo(out io.Writer, rewrite func(context.Context, io.Reader, io.Writer) error) error {
	if rewrite != nil {
		if err := rewrite(o.Context(), o, out); err != nil {
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
		m, err := o.Next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		switch m := m.(type) {
		case protocol.Data:
			o.rest = m
			o.watch(false, m)
		case protocol.Stderr:
			o.show(m)
		case *protocol.Done:
			o.done = m
			o.showLine(o.line)
		default:
			return 0, tunnel.Unexpected(m)
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
		o.told = true
		fmt.Fprintf(o.stderr, "remote: %s\n", clean)
	}
}

// verdict is the error that the end of the service means. If git hung up first it knew all it wanted, and how the service
// took that is of no interest.
func (o *output) verdict(name string, hungUp <-chan struct{}) error {
	if o.done.Code != 0 {
		return fmt.Errorf("%s: %w", name, &protocol.Refuse{Code: o.done.Code})
	}
	if o.done.Status == 0 {
		return nil
	}
	err := fmt.Errorf("%s: %w", name, &protocol.Refuse{Code: protocol.CodeRefused, Text: fmt.Sprintf("git there ended with exit status %d", o.done.Status)})
	select {
	case <-hungUp:
		return nil
	default:
	}
	if o.told { // git there has said why
		return fmt.Errorf("%w: %w", ErrReported, err)
	}
	select {
	case <-hungUp:
		return nil
	case <-time.After(gitGrace):
		return err
	}
}
