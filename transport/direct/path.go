package direct

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// What goes over a path begins with a byte that tells it from STUN (RFC 9443): a short-header packet of QUIC as it is, or one of these.
	frameProbe    = 0x20
	frameAnswer   = 0x21
	framePartOne  = 0x22
	framePartTwo  = 0x23
	frameNumbered = 0x24
	frameAsk      = 0x25
	framePadding  = 0x26

	quicMask, quicShort = 0xc0, 0x40

	// maxDatagramBytes is the largest datagram: over IPv6 it fills an MTU of 1,500.
	maxDatagramBytes = 1452
	// MaxPacketBytes is the largest packet that a path carries.
	MaxPacketBytes = maxDatagramBytes - numberedHeader
	// wholeBytes is the largest packet that every path carries in one datagram: IPv6 demands an MTU of 1,280.
	wholeBytes = 1180
)

// A carrier takes datagrams to the other end, each whole or not at all, and brings the other end's.
type carrier interface {
	Read(b []byte) (int, error)
	Write(b []byte) (int, error)
	SetReadDeadline(t time.Time) error
	room() bool              // there is room for a packet, maybe after a moment
	patience() time.Duration // how long an answer may take where round trips are short
	reliable() bool          // datagrams of all sizes arrive, but for those that it drops itself
	describe() (k wayKind, address string)
}

// A wayKind is what carries packets.
type wayKind int

const (
	wayDirect wayKind = iota
	wayRelayed
	wayBytestream
)

// A path takes packets to the other end by a carrier, and finds out by probes how well it does so.
type path struct {
	link    *Link
	carrier carrier
	tasks   sync.WaitGroup
	sealer  sealer
	tagger  tagger
	sender  sender
	health  health // of Run's goroutine

	whole  atomic.Bool // the largest packets fit in one datagram
	number atomic.Uint32
	asks   atomic.Uint64
	trip   atomic.Int64
	long   atomic.Bool
	hold   atomic.Int64 // how long acknowledgements wait
	halves sync.Pool    // of *[wholeBytes]byte

	mu          sync.Mutex
	small, full tracker
	ended       bool // nothing is begun any more
}

// newPath makes a path, which reads until its carrier is closed.
func newPath(l *Link, c carrier, s sealer) (*path, error) {
	t, err := newTagger(s)
	if err != nil {
		return nil, err
	}
	p := &path{link: l, carrier: c, sealer: s, tagger: t}
	p.halves.New = func() any { return new([wholeBytes]byte) }
	p.whole.Store(c.reliable())
	if p.health.doubt = &l.turn.doubt; c.reliable() { // each stream is another one, pairs of addresses go by the same networks
		p.health.doubt = new(doubt)
	}
	p.small.patience, p.full.patience = c.patience(), c.patience()
	p.tasks.Go(p.read)
	return p, nil
}

// wait is for a path whose carrier was closed to end. There may still be who writes: what is current is read without a lock.
func (p *path) wait() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.tasks.Wait()
}

// write sends a packet of QUIC. What the network doesn't take is lost; what a carrier doesn't, too, before it has a number, so that QUIC knows of it.
func (p *path) write(packet []byte) {
	if !p.carrier.room() {
		return
	}
	hold := time.Duration(p.hold.Load())
	if hold == 0 || len(packet) > ackBytes {
		p.sender.send(p.tagger, packet, p.writeDatagram)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	packet = bytes.Clone(packet)
	p.tasks.Add(1)
	time.AfterFunc(hold, func() {
		defer p.tasks.Done()
		p.sender.send(p.tagger, packet, p.writeDatagram)
	})
}

// ackBytes is the most that an acknowledgement has.
const ackBytes = 128

// holdAcks has acknowledgements wait while packets that were lost are sent again.
func (p *path) holdAcks(m *misser) {
	p.hold.Store(int64(m.holds(time.Now(), p.strain())))
}

// writeDatagram sends a datagram, in halves if it might not fit.
func (p *path) writeDatagram(b []byte) {
	if len(b) <= wholeBytes || p.whole.Load() {
		_, _ = p.carrier.Write(b)
		return
	}
	number, middle := uint16(p.number.Add(1)), len(b)/2
	buf := p.halves.Get().(*[wholeBytes]byte)
	_, _ = p.carrier.Write(appendPart(buf[:0], framePartOne, number, b[:middle]))
	_, _ = p.carrier.Write(appendPart(buf[:0], framePartTwo, number, b[middle:]))
	p.halves.Put(buf)
}

// read takes what comes until the path is closed.
func (p *path) read() {
	var joined joiner
	missing := misser{ask: p.ask}
	waits := false // for what is missing
	buf := make([]byte, 2*maxDatagramBytes)
	for {
		n, err := p.carrier.Read(buf)
		var timeout net.Error
		if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			return
		}
		b := buf[:n]
		switch {
		case n == 0 || n > maxDatagramBytes:
		case b[0] == frameProbe:
			p.echo(b, &missing)
		case b[0] == frameAnswer:
			p.echoed(b)
		case b[0] == frameAsk:
			p.asked(b)
		case b[0] == framePartOne || b[0] == framePartTwo:
			if whole, ok := joined.join(b); ok && whole[0] == frameNumbered {
				p.take(whole, &missing)
			}
		case b[0] == frameNumbered:
			p.take(b, &missing)
		}
		if err != nil || len(missing.missing) > 0 && !waits {
			wait := missing.look(time.Now(), p.strain())
			if waits = wait > 0; waits {
				_ = p.carrier.SetReadDeadline(time.Now().Add(wait)) // fails only on a closed path, as the read does
			} else {
				_ = p.carrier.SetReadDeadline(time.Time{})
			}
		}
	}
}

// take hands a packet on.
func (p *path) take(b []byte, m *misser) {
	number, packet, ok := p.tagger.open(b)
	if !ok {
		return
	}
	if packet[0]&quicMask == quicShort {
		p.link.cfg.Receive(packet)
	}
	m.take(number, time.Now(), p.strain())
	p.holdAcks(m)
}

// ask asks the other end for packets that are missing.
func (p *path) ask(numbers []uint32) {
	buf := make([]byte, probeBytes+4*len(numbers))
	p.sealer.seal(buf, frameAsk, p.asks.Add(1), numbers)
	_, _ = p.carrier.Write(buf) // as lost
}

// asked sends packets again.
func (p *path) asked(b []byte) {
	_, numbers, ok := p.sealer.open(b)
	if !ok || len(numbers) > maxAsked {
		return
	}
	for _, n := range numbers {
		p.sender.resend(n, p.writeDatagram)
	}
}
