package client

import (
	"context"
	"sync"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// A pooled is a connection of a pool, or one that is being made.
type pooled struct {
	address jid.JID
	target  Target
	cancel  context.CancelFunc // ends it, also while it is being made
	ready   chan struct{}      // closed when session or err is set

	session *Session
	made    time.Time // when session was
	err     error

	// The rest is under the pool's lock.
	streams int
	since   time.Time // when the last stream ended, by the clock on the wall: time asleep counts
	timer   *time.Timer
}

func (c *pooled) isReady() bool {
	select {
	case <-c.ready:
		return true
	default:
		return false
	}
}

// alive tells whether a connection that is ready can take a stream.
func (c *pooled) alive() bool {
	return c.isReady() && c.err == nil && c.session.alive()
}

// usable tells whether one more stream may go over a connection, or will when it is there.
func (c *pooled) usable(p *Pool) bool {
	switch {
	case c.streams >= maxShared:
		return false
	case !c.isReady():
		return true
	}
	return c.alive() && time.Since(c.made) <= p.renew && (c.streams > 0 || time.Since(c.since) <= p.keepFor)
}

func (c *pooled) open(ctx context.Context) (*Stream, error) {
	if err := c.await(ctx); err != nil {
		return nil, err
	}
	return c.session.Open(ctx)
}

// await waits until the connection has been made, or says why it hasn't.
func (c *pooled) await(ctx context.Context) error {
	select {
	case <-c.ready:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// alive tells whether a session can be used, as far as is known here.
func (s *Session) alive() bool {
	return s.conn.Context().Err() == nil && s.failure() == nil && !s.isSpoilt() && !s.conn.Away()
}

// maxEarlyBytes is how much can be written again: the one frame that asks for a service.
const maxEarlyBytes = protocol.MaxControlBytes + 16

// A PooledStream is a stream on a connection of a pool's. If the connection is there from before, and turns out to be dead before anything
// came from the peer, the stream moves to a new one, and the little that was written until then is written again.
type PooledStream struct {
	pool    *Pool
	address jid.JID
	key     peers.Key
	running context.Context // until the stream is given up
	stop    context.CancelFunc

	writing sync.Mutex // held by writes
	early   []byte     // what was written while movable
	ended   bool       // our direction

	mu      sync.Mutex
	stream  *Stream
	conn    *pooled // nil: given back
	movable bool
}

func newPooledStream(p *Pool, stream *Stream, c *pooled, reused bool) *PooledStream {
	s := &PooledStream{pool: p, address: c.address, key: c.target.Key, stream: stream, conn: c, movable: reused}
	s.running, s.stop = context.WithCancel(p.running)
	return s
}

// Peer is the full JID of the other side.
func (s *PooledStream) Peer() jid.JID {
	stream, _ := s.current()
	return stream.session.Peer()
}

// Path says how the packets of its connection go now.
func (s *PooledStream) Path() transport.Path {
	stream, _ := s.current()
	return stream.session.Path()
}

func (s *PooledStream) current() (stream *Stream, movable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stream, s.movable
}

// stay says that the stream can't move any more.
func (s *PooledStream) stay() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.movable = false
}

// Read reads from the peer.
func (s *PooledStream) Read(p []byte) (int, error) {
	stream, movable := s.current()
	n, err := stream.Read(p)
	if movable && n == 0 && stream.session.conn.Context().Err() != nil {
		if err = s.move(err); err == nil {
			stream, _ = s.current()
			n, err = stream.Read(p)
		}
	}
	if movable {
		s.stay()
	}
	return n, err
}

// move moves to a new connection, unless there was more to write again than is kept: then the error is cause.
func (s *PooledStream) move(cause error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, movable := s.current(); !movable {
		return cause
	}
	s.stay()
	stream, c, err := s.pool.openNew(s.running, s.address, s.key)
	if err != nil {
		return err
	}
	s.mu.Lock()
	old, gone := s.conn, s.running.Err() != nil
	if !gone {
		s.stream, s.conn = stream, c
	}
	s.mu.Unlock()
	if gone {
		stream.Cancel(protocol.CodeCancelled)
		s.pool.release(c)
		return cause
	}
	s.pool.release(old)
	if _, err := stream.Write(s.early); err != nil {
		return err
	}
	if s.ended {
		return stream.CloseWrite()
	}
	return nil
}

// Write writes to the peer; it blocks while the peer's window is full.
func (s *PooledStream) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	stream, movable := s.current()
	if movable {
		if len(s.early)+len(p) > maxEarlyBytes {
			s.stay()
			movable = false
		} else {
			s.early = append(s.early, p...)
		}
	}
	n, err := stream.Write(p)
	if err != nil && movable && stream.session.conn.Context().Err() != nil {
		return len(p), nil //nolint:nilerr // whoever reads moves to another connection, or learns the same
	}
	return n, err
}

// CloseWrite ends our direction.
func (s *PooledStream) CloseWrite() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.ended = true
	stream, _ := s.current()
	return stream.CloseWrite()
}

// Cancel gives up both directions.
func (s *PooledStream) Cancel(code protocol.Code) {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.movable = false
	s.stream.Cancel(code)
}

// Close gives up what is left of the stream, and gives back its connection.
func (s *PooledStream) Close() {
	s.Cancel(protocol.CodeCancelled)
	s.mu.Lock()
	c := s.conn
	s.conn = nil
	s.mu.Unlock()
	if c != nil {
		s.pool.release(c)
	}
}
