package direct

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	streamHeader = 2 // length
	// maxPendingBytes is what waits for the socket. Packets wait from crowdedBytes on, for roomWithin; the rest is for probes.
	maxPendingBytes = 192 << 10
	crowdedBytes    = 128 << 10
	roomWithin      = 250 * time.Millisecond
	streamReadBytes = 64 << 10

	// streamPatience is how long an answer may take on a stream, where what is lost holds up the rest.
	streamPatience = 1500 * time.Millisecond
	// streamWriteWithin is how long a write may take.
	streamWriteWithin = 20 * time.Second

	// warmBytes of padding are sent first: TCP begins with less on its way than QUIC does, which would take the queue for that of a full network.
	warmBytes = 64 << 10

	// heldBack is what a proxy may keep back of a stream until more comes.
	heldBack = 4096
)

// fillAfter is when, after the last frame, an empty one follows, by which a proxy gives out what it has kept back. It may have read the first one together with the frames.
var fillAfter = []time.Duration{500 * time.Microsecond, 5 * time.Millisecond, 50 * time.Millisecond}

// A stream carries datagrams over TCP, each behind its length. What the network doesn't take soon is dropped.
type stream struct {
	conn    net.Conn
	address string
	ended   func() // is told of the end
	in      *bufio.Reader

	tasks   sync.WaitGroup
	done    chan struct{} // closed at the end
	once    sync.Once
	more    chan struct{} // something is pending
	mu      sync.Mutex
	pending []byte
	taken   chan struct{} // closed when it is taken; nil: nobody waits for that
}

var (
	errFrame = errors.New("malformed frame on a bytestream")
	errEnded = errors.New("the bytestream has ended")
)

// newStream makes a stream, which lives until its close, or until the connection fails.
func newStream(conn net.Conn, ended func()) *stream {
	s := &stream{
		conn: conn, address: conn.RemoteAddr().String(), ended: ended, in: bufio.NewReaderSize(conn, streamReadBytes),
		done: make(chan struct{}), more: make(chan struct{}, 1),
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tuneStream(tcp)
	}
	padding := make([]byte, MaxPacketBytes)
	padding[0] = framePadding
	for n := 0; n < warmBytes; n += len(padding) {
		s.queue(padding)
	}
	s.tasks.Go(s.write)
	return s
}

// end closes the connection.
func (s *stream) end() {
	s.once.Do(func() {
		close(s.done)
		_ = s.conn.Close()
		s.ended()
	})
}

// over tells whether the stream has ended.
func (s *stream) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// close ends the stream, and waits for what belongs to it.
func (s *stream) close() {
	s.end()
	s.tasks.Wait()
}

// Read returns the next datagram. After a timeout nothing is lost.
func (s *stream) Read(b []byte) (int, error) {
	for {
		n, err := s.frame(b)
		var timeout net.Error
		if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			s.end()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// frame returns the next frame's content, which may be empty.
func (s *stream) frame(b []byte) (int, error) {
	header, err := s.in.Peek(streamHeader)
	if err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(header))
	if n > maxDatagramBytes || n > len(b) {
		return 0, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	whole, err := s.in.Peek(streamHeader + n)
	if err != nil {
		return 0, err
	}
	copy(b, whole[streamHeader:])
	_, err = s.in.Discard(len(whole))
	return n, err
}

// SetReadDeadline makes reads fail after t.
func (s *stream) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// Write queues a datagram, or drops it if too much waits.
func (s *stream) Write(b []byte) (int, error) {
	if s.over() {
		return 0, errEnded
	}
	if s.queue(b) {
		select {
		case s.more <- struct{}{}:
		default:
		}
	}
	return len(b), nil
}

// queue is false if there is no room.
func (s *stream) queue(b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending)+streamHeader+len(b) > maxPendingBytes {
		return false
	}
	s.pending = binary.BigEndian.AppendUint16(s.pending, uint16(len(b)))
	s.pending = append(s.pending, b...)
	return true
}

// write is the only writer of the connection.
func (s *stream) write() {
	defer s.end()
	var buf []byte
	unfilled, fills := 0, 0 // bytes since the last one that was surely given out; empty frames behind them
	for {
		s.mu.Lock()
		buf, s.pending = s.pending, buf[:0]
		if s.taken != nil {
			close(s.taken)
			s.taken = nil
		}
		s.mu.Unlock()
		if len(buf) > 0 {
			unfilled, fills = unfilled+len(buf), 0
		} else {
			fill, ok := s.idle(unfilled, fills)
			if !ok {
				return
			}
			if !fill {
				continue
			}
			buf = append(buf, 0, 0)
			if fills++; fills == len(fillAfter) {
				unfilled = 0
			}
		}
		_ = s.conn.SetWriteDeadline(time.Now().Add(streamWriteWithin)) // fails only on a closed connection, as the write does
		if _, err := s.conn.Write(buf); err != nil {
			return
		}
	}
}

// idle waits until something is pending, or it is time to fill up. It isn't ok when the stream has ended.
func (s *stream) idle(unfilled, fills int) (fill, ok bool) {
	var due <-chan time.Time
	if unfilled > heldBack && fills < len(fillAfter) {
		due = time.After(fillAfter[fills])
	}
	select {
	case <-s.more:
		return false, true
	case <-due:
		return true, true
	case <-s.done:
		return false, false
	}
}

// room waits for room for a packet: QUIC is to go at the pace of TCP, and sees no losses. It is false if there is none soon.
func (s *stream) room() bool {
	taken := s.crowded()
	if taken == nil {
		return true
	}
	timer := time.NewTimer(roomWithin)
	defer timer.Stop()
	for taken != nil {
		select {
		case <-taken:
		case <-timer.C:
			return false
		case <-s.done:
			return false
		}
		taken = s.crowded()
	}
	return true
}

// crowded returns what is closed when some of what is pending was taken; nil if that isn't much.
func (s *stream) crowded() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) <= crowdedBytes {
		return nil
	}
	if s.taken == nil {
		s.taken = make(chan struct{})
	}
	return s.taken
}

func (s *stream) patience() time.Duration { return streamPatience }

func (s *stream) reliable() bool { return true }

func (s *stream) describe() (wayKind, string) { return wayBytestream, s.address }
