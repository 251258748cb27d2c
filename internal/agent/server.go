package agent

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
)

// acceptPause is the wait after a failure to accept: too many open files, say.
const acceptPause = time.Second

// A Server is the agent.
type Server struct {
	// Login is that of the clients that we work for.
	Login string
	// Ready says why no stream can be opened now; nil if it can. The clients then do without us.
	Ready func(ctx context.Context) error
	// Open opens a stream to the peer with a key behind an address and tells its full JID. An [ErrDeclined] sends the client away.
	Open func(ctx context.Context, to jid.JID, key ed25519.PublicKey) (stream Stream, peer string, err error)
	// Status is a JSON document that says what we are doing; nil if there is nothing to say.
	Status func(ctx context.Context) ([]byte, error)
	// Sync does what a JSON document asks for and answers with another one; nil if it can't. It ends with ctx: the client has gone.
	Sync func(ctx context.Context, request []byte) ([]byte, error)
	Log  *slog.Logger
}

// Serve works for clients until ctx is done. Then the socket is removed, streams may finish for a short time, the rest is cancelled, and when
// all has ended it returns.
func (s *Server) Serve(ctx context.Context, l *Listener) error {
	running, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	closed := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { closed <- l.Close() })
	defer stop()
	var clients sync.WaitGroup
	slots := make(chan struct{}, maxClients)
	for ctx.Err() == nil {
		conn, err := l.AcceptUnix()
		if err != nil {
			s.pause(ctx, err)
			continue
		}
		clients.Go(func() {
			defer conn.Close()
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				s.handle(running, ctx, conn)
			default:
				s.decline(conn, errors.New("it works for too many"))
			}
		})
	}
	grace := time.AfterFunc(finishGrace, func() { cancel(errStopped) })
	defer grace.Stop()
	clients.Wait()
	return <-closed
}

// pause waits after a failure to accept.
func (s *Server) pause(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.Log.Warn("agent: accept", "err", err)
	select {
	case <-ctx.Done():
	case <-time.After(acceptPause):
	}
}

// handle works for one client. Once stopping is done, no new stream is opened.
func (s *Server) handle(running, stopping context.Context, conn *net.UnixConn) {
	in := bufio.NewReaderSize(conn, headerBytes+maxDataBytes)
	t, payload, err := s.first(conn, in)
	if err == nil && t == typeStatus && s.Status != nil {
		s.status(running, conn)
		return
	}
	if err == nil && t == typeSync && s.Sync != nil {
		s.sync(running, conn, in, payload)
		return
	}
	var request Request
	if err == nil {
		request, err = s.greet(stopping, conn, t, payload)
	}
	if err != nil {
		s.decline(conn, err)
		return
	}
	ctx, cancel := context.WithCancelCause(running)
	defer cancel(nil)
	r := newRelay(conn, in, request.Timeout)
	defer r.stop() // whatever happens, nothing of it is left
	r.start(cancel)
	stream, peer, err := s.Open(ctx, request.To, request.Key)
	if err == nil && stopping.Err() != nil {
		stream.Close()
		err = fmt.Errorf("%w: it is stopping", ErrDeclined)
	}
	switch {
	case ctx.Err() != nil && err != nil: // nobody is there to be told, or we stop
	case errors.Is(err, ErrDeclined):
		s.decline(conn, err)
	case err != nil:
		s.Log.Debug("agent: no stream", "to", request.To.String(), "err", err)
		_ = r.send(typeFailed, encodeFailure(err)) // a client that is gone needn't know
	default:
		s.Log.Debug("agent: stream opened", "peer", peer)
		began := time.Now()
		r.run(ctx, stream, peer)
		s.Log.Debug("agent: stream ended", "peer", peer, "took", time.Since(began))
	}
}

// first reads the first frame of a client that is ours.
func (s *Server) first(conn *net.UnixConn, in *bufio.Reader) (frameType, []byte, error) {
	if err := checkOwner(conn); err != nil {
		return 0, nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(greetTimeout)); err != nil {
		return 0, nil, err
	}
	return readFrame(in, make([]byte, maxDataBytes))
}

// greet takes the request, which must be in the first frame. An error is why not.
func (s *Server) greet(stopping context.Context, conn *net.UnixConn, t frameType, payload []byte) (r Request, err error) {
	if t != typeRequest {
		return r, errMalformed
	}
	if r, err = decodeRequest(payload); err != nil {
		return r, err
	}
	if r.Login != s.Login {
		return r, errors.New("it is set up otherwise: another account, key or server")
	}
	ctx, cancel := context.WithTimeout(stopping, readyTimeout)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		return r, err
	}
	if stopping.Err() != nil {
		return r, errors.New("it is stopping")
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return r, err
	}
	return r, write(conn, greetTimeout, appendFrame(nil, typeTaken, nil))
}

// decline sends a client away. It needn't learn why, and may be gone.
func (s *Server) decline(conn *net.UnixConn, why error) {
	s.Log.Debug("agent: declined", "why", why)
	_ = write(conn, lastWords, appendFrame(nil, typeDeclined, []byte(clip(why.Error()))))
}

// write writes frames within a time.
func write(conn *net.UnixConn, within time.Duration, frames []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err := conn.Write(frames)
	return err
}
