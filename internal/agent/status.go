package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// statusTimeout is how long the agent has for its status, and the client waits for it.
	statusTimeout = 15 * time.Second
	// maxStatusBytes is the largest status.
	maxStatusBytes = 16 << 20
)

// ErrNone says that there is no agent.
var ErrNone = errors.New("nobody listens")

var errSilent = fmt.Errorf("no answer within %v", statusTimeout)

// Status asks the agent of a folder for its status, a JSON document. Its login doesn't count: whoever may use the folder may know. The error
// is an [ErrNone] if there is no agent.
func Status(ctx context.Context, dir string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, statusTimeout, errSilent)
	defer cancel()
	return ask(ctx, dir, typeStatus, nil)
}

// Sync has the agent of a folder do what a JSON document says, see [Server.Sync], and returns its answer, another one. That may take long: ctx bounds it. The
// error is an [ErrNone] if there is no agent, or an [ErrDeclined].
func Sync(ctx context.Context, dir string, request []byte) ([]byte, error) {
	return ask(ctx, dir, typeSync, request)
}

func ask(ctx context.Context, dir string, t frameType, request []byte) ([]byte, error) {
	conn, err := connect(ctx, dir)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, noAgent(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	document, err := askOn(conn, t, request)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return document, err
}

// noAgent makes an [ErrNone] of what says that there is no socket, or that nobody is behind it.
func noAgent(err error) error {
	var dial *net.OpError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &dial) && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrNone, err)
	}
	return err
}

func askOn(conn *net.UnixConn, t frameType, request []byte) ([]byte, error) {
	if err := write(conn, greetTimeout, appendFrame(nil, t, request)); err != nil {
		return nil, err
	}
	in, buf := bufio.NewReader(conn), make([]byte, maxDataBytes)
	var document []byte
	for {
		t, payload, err := readFrame(in, buf)
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case t == typeDeclined:
			return nil, fmt.Errorf("%w: %s", ErrDeclined, clean(string(payload)))
		case t == typeEnd && json.Valid(document):
			return document, nil
		case t != typeData || len(document)+len(payload) > maxStatusBytes:
			return nil, errMalformed
		}
		document = append(document, payload...)
	}
}

// status tells a client the status.
func (s *Server) status(ctx context.Context, conn *net.UnixConn) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	document, err := s.Status(ctx)
	s.answer(conn, document, err)
}

// sync does what a client wants, as long as that is there.
func (s *Server) sync(ctx context.Context, conn *net.UnixConn, in io.Reader, request []byte) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	var watch sync.WaitGroup
	watch.Go(func() {
		_, _ = io.Copy(io.Discard, in) // until it hangs up, or we do
		cancel()
	})
	document, err := s.Sync(ctx, request)
	s.answer(conn, document, err)
	_ = conn.Close() // so that the watch ends
	watch.Wait()
}

// answer sends a client a document, or sends it away.
func (s *Server) answer(conn *net.UnixConn, document []byte, err error) {
	if err == nil && len(document) > maxStatusBytes {
		err = fmt.Errorf("an answer of %d bytes", len(document))
	}
	if err != nil {
		s.decline(conn, err)
		return
	}
	var out bytes.Buffer
	for part := range slices.Chunk(document, maxDataBytes) {
		out.Write(appendFrame(nil, typeData, part))
	}
	out.Write(appendFrame(nil, typeEnd, nil))
	_ = write(conn, writeTimeout, out.Bytes()) // a client that is gone needn't know
}
