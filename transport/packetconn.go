package transport

import (
	"net"
	"os"
	"sync"
	"time"

	"git-remote-xmpp/chunk"
)

const (
	// maxReceivedPackets is how many packets wait for QUIC; more are dropped, as a network does.
	maxReceivedPackets = 2048
	minPacketBytes     = 1200 // the least that QUIC allows for full packets (RFC 9000, 14)
	maxPacketBytes     = 1452
)

// A packetConn is the [net.PacketConn] that QUIC runs on. Its addresses are peers, not
// sockets: a lost link is nothing but lost packets to it.
type packetConn struct {
	local    net.Addr
	out      *outbox
	received chan packet
	buffers  sync.Pool     // of *[maxPacketBytes]byte
	sent     chan struct{} // told of each packet that QUIC sends, if it has room
	deadline deadline
	done     chan struct{}
	closing  sync.Once
	traffic  traffic

	// How many packets came since when; for deliver alone.
	window      time.Time
	windowCount int
}

type packet struct {
	from net.Addr
	data []byte // from buffers
}

func newPacketConn(local net.Addr, out *outbox) *packetConn {
	c := &packetConn{local: local, out: out, received: make(chan packet, maxReceivedPackets), sent: make(chan struct{}, 1), done: make(chan struct{})}
	c.buffers.New = func() any { return new([maxPacketBytes]byte) }
	c.deadline.init()
	return c
}

// deliver takes the packets of a payload. What doesn't fit is dropped. It never blocks, and is called by one goroutine.
func (c *packetConn) deliver(from *peer, payload []byte) error {
	now, full, bytes := time.Now(), 0, 0
	if now.Sub(c.window) > bulkWindow {
		c.window, c.windowCount = now, 0
	} else if c.windowCount >= bulkPackets {
		c.out.bulk(now)
	}
	err := chunk.Split(payload, func(datagram []byte) {
		if !c.take(from, datagram) {
			return
		}
		c.windowCount++
		c.traffic.inBandReceived.Add(uint64(len(datagram)))
		if len(datagram) >= minPacketBytes {
			full, bytes = full+1, bytes+len(datagram)
		}
	})
	if conn := from.conn.Load(); conn != nil && full > 0 {
		stats := conn.ConnectionStats()
		from.came.full(full, bytes, stats.MinRTT, stats.SmoothedRTT, now)
	}
	return err
}

// deliverPacket takes a packet that came directly.
func (c *packetConn) deliverPacket(from *peer, datagram []byte) {
	if !from.routes.came.Load() {
		from.routes.came.Store(true)
	}
	if !from.routes.up() { // the peer's acknowledgements go directly while our packets don't
		from.arrived()
	}
	if c.take(from, datagram) {
		c.traffic.directReceived.Add(uint64(len(datagram)))
	}
}

// take takes a packet, or drops it if it is too large or too many wait. It is false then.
func (c *packetConn) take(from *peer, datagram []byte) bool {
	if len(datagram) > maxPacketBytes {
		return false
	}
	buf := c.buffers.Get().(*[maxPacketBytes]byte)
	n := copy(buf[:], datagram)
	select {
	case c.received <- packet{from.from(datagram), buf[:n]}:
		return true
	default:
		c.buffers.Put(buf)
		return false
	}
}

// ReadFrom returns the next packet.
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-c.received:
		if from, ok := p.from.(*peer); ok {
			c.awaitReader(from)
		}
		n := copy(b, p.data)
		c.buffers.Put((*[maxPacketBytes]byte)(p.data[:maxPacketBytes]))
		return n, p.from, nil
	case <-c.deadline.passed():
		return 0, nil, os.ErrDeadlineExceeded
	case <-c.done:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo sends a packet to a peer by a direct path, or queues it for the server and blocks while too much waits for that.
func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	p := peerAt(to)
	if p == nil {
		return 0, net.InvalidAddrError(to.String())
	}
	select {
	case c.sent <- struct{}{}:
	default:
	}
	direct := p.routes.write(b)
	if direct {
		c.traffic.directSent.Add(uint64(len(b)))
	}
	if direct && p.closing.Load() == 0 || !p.mayFly(len(b)) {
		return len(b), nil
	}
	if p.early(len(b)) {
		return len(b), nil // as if lost
	}
	if err := c.out.packet(p, b); err != nil {
		return 0, err
	}
	c.traffic.inBandSent.Add(uint64(len(b)))
	if now := time.Now(); len(b) < minPacketBytes { // which nobody needs to wait for
		p.limit.pay(len(b), now)
	} else {
		p.limit.wait(c.done, len(b), now)
		p.pace.written(time.Now())
	}
	return len(b), nil
}

// Close makes readers return.
func (c *packetConn) Close() error {
	c.closing.Do(func() { close(c.done) })
	return nil
}

// LocalAddr is our full JID at the start.
func (c *packetConn) LocalAddr() net.Addr { return c.local }

// SetReadBuffer does nothing; without it quic-go warns about a small buffer.
func (c *packetConn) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing, as SetReadBuffer.
func (c *packetConn) SetWriteBuffer(int) error { return nil }

// SetDeadline sets the deadline of reads; writes have none.
func (c *packetConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline makes reads fail after t; the zero time takes that back.
func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.deadline.set(t)
	return nil
}

// SetWriteDeadline does nothing: a write ends by itself when the link is lost.
func (c *packetConn) SetWriteDeadline(time.Time) error { return nil }

// A deadline is a channel that is closed when a settable time has come.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	ch    chan struct{}
}

func (d *deadline) init() { d.ch = make(chan struct{}) }

func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ch
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		// It fired, or is about to close the channel that it was made for.
		d.timer = nil
	}
	select {
	case <-d.ch:
		d.ch = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	ch := d.ch
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.ch == ch {
				closeOnce(ch)
			}
		})
		return
	}
	closeOnce(ch)
}

func closeOnce(ch chan struct{}) {
	select {
	case <-ch:
	default:
		close(ch)
	}
}
