package xmppserver

import (
	"errors"
	"net"
	"sync"
	"time"
)

// errGone is why a stanza didn't get into an outbox: the client's stream has
// ended or is ending.
var errGone = errors.New("client is gone")

// outbox is the bounded queue of bytes on their way to one client. Stanzas are
// copied into chunks, so that a burst of them is one write.
//
// Its writer is drain; everybody else may push. A full queue holds the pusher
// up, which is how a client that reads slowly slows down who writes to it; when
// nothing moves for limits.stall, the client is given up.
type outbox struct {
	conn   net.Conn
	limits limits
	pool   *sync.Pool // of *chunk

	wake chan struct{} // capacity 1: the writer has something to look at

	mu       sync.Mutex
	chunks   []*chunk
	queued   int           // bytes in chunks, or being written
	room     chan struct{} // closed when queued goes down; nil: nobody waits
	deadline time.Time     // zero: open; else nothing more is taken, and the writer ends by then
	broken   bool          // nothing more is written either
}

type chunk struct {
	n    int
	data [chunkBytes]byte
}

func newOutbox(conn net.Conn, l limits, pool *sync.Pool) *outbox {
	return &outbox{conn: conn, limits: l, pool: pool, wake: make(chan struct{}, 1)}
}

// push queues the pieces of a stanza, all or nothing. It waits while the queue
// is full, and gives the client up when that takes longer than limits.stall.
// Without pieces it only waits.
func (o *outbox) push(pieces ...[]byte) error {
	var stalled <-chan time.Time
	for {
		room, err := o.try(o.limits.queueBytes, pieces)
		if err != nil || room == nil {
			return err
		}
		if stalled == nil {
			timer := time.NewTimer(o.limits.stall)
			defer timer.Stop()
			stalled = timer.C
		}
		select {
		case <-room:
		case <-stalled:
			o.abort()
			return errGone
		}
	}
}

// pushNow queues the pieces of a presence, whether or not the queue is full, and
// never waits. A client that even the reserve isn't enough for is given up.
func (o *outbox) pushNow(pieces ...[]byte) {
	room, err := o.try(o.limits.queueBytes+presenceReserveBytes, pieces)
	if err == nil && room != nil {
		o.abort()
	}
}

// try queues the pieces if they fit within limit; if not, it returns a channel
// that is closed when there is more room.
func (o *outbox) try(limit int, pieces [][]byte) (<-chan struct{}, error) {
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.deadline.IsZero() || o.broken {
		return nil, errGone
	}
	if o.queued > 0 && o.queued+size > limit {
		if o.room == nil {
			o.room = make(chan struct{})
		}
		return o.room, nil
	}
	o.add(pieces)
	return nil, nil
}

// add copies pieces to the end of the queue. The caller holds mu.
func (o *outbox) add(pieces [][]byte) {
	for _, p := range pieces {
		o.queued += len(p)
		for len(p) > 0 {
			last := len(o.chunks) - 1
			if last < 0 || o.chunks[last].n == chunkBytes {
				o.chunks = append(o.chunks, o.pool.Get().(*chunk))
				last++
			}
			c := o.chunks[last]
			n := copy(c.data[c.n:], p)
			c.n += n
			p = p[n:]
		}
	}
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// notify lets who waits for room look again. The caller holds mu.
func (o *outbox) notify() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// close takes last as the last words of the stream. What is queued is still
// written, for limits.goodbye at most.
func (o *outbox) close(last []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.deadline.IsZero() || o.broken {
		return
	}
	o.add([][]byte{last})
	o.deadline = time.Now().Add(o.limits.goodbye)
	// A write that is under way now must end by then, too.
	_ = o.conn.SetWriteDeadline(o.deadline)
	o.notify()
}

// abort throws away what is queued and cuts the connection.
func (o *outbox) abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = true
	o.chunks = nil
	o.notify()
	o.signal()
	_ = o.conn.SetDeadline(longAgo)
}

// drain writes what is pushed until the outbox is closed and empty, or broken. It
// tells whether everything has been written.
func (o *outbox) drain() bool {
	for {
		c, done := o.take()
		switch {
		case done:
			return !o.isBroken()
		case c == nil:
			<-o.wake
			continue
		}
		_, err := o.conn.Write(c.data[:c.n])
		o.written(c)
		if err != nil {
			o.abort()
			return false
		}
	}
}

func (o *outbox) isBroken() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.broken
}

// take is the next chunk to write, or nil if there is none yet.
func (o *outbox) take() (c *chunk, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken {
		return nil, true
	}
	if len(o.chunks) == 0 {
		return nil, !o.deadline.IsZero()
	}
	c = o.chunks[0]
	o.chunks[0] = nil
	o.chunks = o.chunks[1:]
	deadline := o.deadline
	if deadline.IsZero() {
		deadline = time.Now().Add(o.limits.stall)
	}
	_ = o.conn.SetWriteDeadline(deadline)
	return c, false
}

func (o *outbox) written(c *chunk) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queued -= c.n
	c.n = 0
	o.pool.Put(c)
	o.notify()
}
