package transport

import (
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// firstLook is how long after something was heard from a peer QUIC is asked what that was, and lastLook how long it takes until it is asked anyway.
	firstLook = 500 * time.Microsecond
	lastLook  = 100 * time.Millisecond
	// askAfter twice the latest round trip a writer that waits asks the peer what has arrived: QUIC may have heard of everything, and say nothing more.
	askAfter = time.Second
)

// A Stream is one of QUIC's bidirectional streams. Its writes wait while there is much on the way to the peer through servers.
type Stream struct {
	*quic.Stream
	conn     *Conn
	limiter  func(int) int // packet, once for all writes
	deadline deadline      // of writes

	writing sync.Mutex
	left    int       // bytes of the present write
	written time.Time // when the last one ended

	// Of writes that don't wait; for the peer's pace.
	loose int    // bytes
	until uint64 // what the peer was sent when the last of these went
}

func (c *Conn) stream(s *quic.Stream) *Stream {
	stream := &Stream{Stream: s, conn: c}
	stream.limiter = stream.packet
	stream.deadline.init()
	return stream
}

// Write waits while much is on the way. Less than a packet doesn't, such as a control message, unless there was more on the stream just now.
func (s *Stream) Write(b []byte) (written int, err error) {
	s.writing.Lock()
	defer func() {
		s.written = time.Now()
		s.writing.Unlock()
	}()
	if len(b) < minPacketBytes && s.goes(len(b), (*pace).takeLoose) {
		return s.Stream.Write(b)
	}
	for len(b)-written > maxPacketBytes {
		s.left = len(b) - written
		n, err := s.Stream.WriteWithLimit(b[written:], s.limiter)
		written += n
		if !errors.Is(err, quic.ErrWriteLimitReached) {
			return written, err
		}
		s.await(min(maxPacketBytes, len(b)-written), (*pace).room)
	}
	s.await(len(b)-written, (*pace).take)
	n, err := s.Stream.Write(b[written:]) // which returns before it is sent: its packet takes what is written next, too, or the end of the stream
	return written + n, err
}

// packet tells QUIC how many of n bytes may go into the next packet. The last ones of a write don't: see there.
func (s *Stream) packet(n int) int {
	if n == s.left || !s.goes(n, (*pace).take) {
		return 0
	}
	s.left -= n
	return n
}

// goes tells whether n bytes may be sent now, by one of pace's methods.
func (s *Stream) goes(n int, by func(*pace, *Stream, int, look) bool) bool {
	p := s.conn.peer
	if p.routes.up() {
		return true
	}
	return by(&p.pace, s, n, s.conn.look())
}

// look is what is known of the way to the peer now.
func (c *Conn) look() look {
	stats := c.quic.ConnectionStats()
	return look{time.Now(), stats.LatestRTT, stats.MinRTT, &c.trip}
}

// await waits until n bytes may be sent. It returns as well when the deadline has passed, or the stream has ended: a write says so.
func (s *Stream) await(n int, by func(*pace, *Stream, int, look) bool) {
	if s.goes(n, by) {
		return
	}
	p := &s.conn.peer.pace
	defer p.wait()()
	delay, asked := firstLook, time.After(2*s.conn.quic.ConnectionStats().LatestRTT+askAfter)
	for {
		heard := p.next()
		if p.asks() {
			s.conn.ask(true)
		}
		if s.goes(n, by) {
			return
		}
		select {
		case <-heard:
			delay = firstLook
		case <-time.After(delay):
			delay = min(2*delay, lastLook)
		case <-asked: // once: QUIC asks until it has an answer
			s.conn.nudge()
		case <-s.deadline.passed():
			return
		case <-s.Context().Done():
			return
		}
	}
}

// Read reads.
func (s *Stream) Read(b []byte) (int, error) {
	s.conn.peer.pace.touch()
	return s.Stream.Read(b)
}

// Close ends our side of the stream.
func (s *Stream) Close() error {
	s.conn.peer.pace.touch()
	return s.Stream.Close()
}

// CancelRead has the peer stop sending.
func (s *Stream) CancelRead(code quic.StreamErrorCode) {
	s.conn.peer.pace.touch()
	s.Stream.CancelRead(code)
}

// CancelWrite gives up what was written.
func (s *Stream) CancelWrite(code quic.StreamErrorCode) {
	s.conn.peer.pace.touch()
	s.Stream.CancelWrite(code)
}

// SetDeadline sets the deadline of reads and writes.
func (s *Stream) SetDeadline(t time.Time) error {
	s.deadline.set(t)
	return s.Stream.SetDeadline(t)
}

// SetWriteDeadline sets the deadline of writes.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.deadline.set(t)
	return s.Stream.SetWriteDeadline(t)
}
