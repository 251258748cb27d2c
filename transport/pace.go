package transport

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// pairBytes is the least that may be on its way: two packets, which fill a message. Where no more may be, they go together.
	pairBytes = 2 * maxPacketBytes
	// messageBytes is what the largest message takes.
	messageBytes = maxPayloads * pairBytes
	// A server may let a burst through before it slows down, and that it does is known only by what arrives. Until serverBurstBytes have arrived no more are on their way than
	// it takes to have them there in serverBurstTime, from pairBytes to firstBytes.
	serverBurstBytes = 24 << 10
	serverBurstTime  = 100 * time.Millisecond
	firstBytes       = 4 * pairBytes
	// openBytes is what QUIC by itself begins with.
	openBytes = 32 * maxPacketBytes
	// mostQueueing is how much longer a round trip may take than the shortest one before less is sent. Up to littleQueueing, more may be.
	mostQueueing   = time.Second
	littleQueueing = mostQueueing / 2
	// noQueueing, or as much as the shortest round trip takes, is so little that it needn't be a server's that is slow.
	noQueueing = mostQueueing / 16
	// calmTime is how long no round trip may have taken long before a server that is slow is sent more at once.
	calmTime = 3 * time.Second
	// inTime is by how much what was sent may seem to have been sent after what QUIC has measured, which looks at the clock before it makes packets.
	inTime = 300 * time.Microsecond
	// quietTime is how long after a write of a stream another one may go without waiting.
	quietTime = 100 * time.Millisecond
	// maxParts is how many parts of what is on its way are told apart.
	maxParts = 64
)

// A pace holds back what streams send to a peer through servers, so that little waits in front of a server that is slow, and a control message, which waits behind that, doesn't
// wait long. QUIC by itself has 63 kB on the way before it hears anything. The measure is how much longer a round trip takes than the shortest one, whoever is the cause.
type pace struct {
	waiting atomic.Int32 // writers
	touched atomic.Int64 // when a stream was read or closed last, Unix nanoseconds

	mu      sync.Mutex
	heard   chan struct{} // closed when something comes from the peer; nil while nobody waits
	sent    uint64        // bytes of streams
	arrived uint64        // of these
	parts   []part        // of what is on its way, oldest first
	most    uint64        // that may be on its way
	narrow  bool          // that was in the way since it was changed
	held    bool          // until there is room for two packets
	slow    bool          // at times less has to be
	changed time.Time     // when most was last
	queued  time.Time     // when a round trip took long last
	taken   time.Time     // when streams sent something last
	wrote   time.Time     // when a full packet was written last
	asked   time.Time     // when QUIC was allowed to ask last, see early
	again   time.Time     // when it was by a small packet
	nudged  time.Time     // when QUIC was given a nudge last
	went    time.Time     // when a nudge was sent last
	fresh   time.Time     // when streams sent something, or a nudge was sent that doesn't ask again
	lost    uint64        // packets that QUIC has found to be
	ask     bool          // that is for a writer to do
	waited  time.Duration // by all writers, while they were held back
}

// A part is the bytes up to end, sent until at.
type part struct {
	end uint64
	at  time.Time
}

// A look is what is known of the way to a peer.
type look struct {
	now           time.Time
	latest, least time.Duration  // round trips by QUIC
	known         *time.Duration // the latest one that was looked at, of the same connection
}

// take notes n bytes of a stream's that are about to be sent, unless they would be too much on its way.
func (p *pace) take(_ *Stream, n int, l look) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lookLocked(l)
	if !p.roomLocked(uint64(n)) {
		return false
	}
	p.noteLocked(uint64(n), l.now)
	return true
}

// room tells whether take would.
func (p *pace) room(_ *Stream, n int, l look) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lookLocked(l)
	return p.roomLocked(uint64(n))
}

// takeLoose notes n bytes, unless there would be more than a packet of such bytes of the stream on its way.
func (p *pace) takeLoose(s *Stream, n int, l look) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lookLocked(l)
	if p.arrived >= s.until && l.now.Sub(s.written) > quietTime {
		s.loose = 0
	}
	if s.loose+n > minPacketBytes {
		return false
	}
	p.noteLocked(uint64(n), l.now)
	s.loose, s.until = s.loose+n, p.sent
	return true
}

// owed tells whether not all that was sent is known to have arrived.
func (p *pace) owed(l look) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most > 0 { // streams have sent something
		p.lookLocked(l)
	}
	return p.sent > p.arrived
}

func (p *pace) roomLocked(n uint64) bool {
	flight := p.sent - p.arrived
	if p.held {
		n = max(n, min(pairs(p.most), messageBytes))
	}
	p.held = flight > 0 && flight+n > p.most
	p.narrow = p.narrow || p.held
	return !p.held
}

// noteLocked notes n bytes. Parts are pairs of packets, or a 32nd of what may be on its way, but for the newest one.
func (p *pace) noteLocked(n uint64, now time.Time) {
	p.sent += n
	p.taken, p.fresh = now, now
	last := len(p.parts) - 1
	if last == maxParts-1 || last >= 0 && p.sent-p.beginLocked(last) <= max(pairBytes, p.most/(maxParts/2)) {
		p.parts[last] = part{p.sent, now}
		return
	}
	p.parts = append(p.parts, part{p.sent, now})
}

func (p *pace) beginLocked(i int) uint64 {
	if i == 0 {
		return p.arrived
	}
	return p.parts[i-1].end
}

// lookLocked finds out what has arrived, when QUIC has measured a round trip: all that was sent one such before now.
func (p *pace) lookLocked(l look) {
	if p.most == 0 {
		p.most = firstBytes
		if l.least > 0 {
			p.most = min(pairs(serverBurstBytes*uint64(l.least)/uint64(serverBurstTime)), firstBytes)
		}
	}
	if l.latest == *l.known {
		return
	}
	*l.known = l.latest
	flight := p.sent - p.arrived
	p.arriveLocked(l.now.Add(inTime - l.latest))
	p.adaptLocked(l, flight)
}

// arriveLocked notes that what was sent until then has arrived.
func (p *pace) arriveLocked(until time.Time) {
	n := 0
	for n < len(p.parts) && !p.parts[n].at.After(until) {
		p.arrived = p.parts[n].end
		n++
	}
	p.parts = append(p.parts[:0], p.parts[n:]...)
}

// adaptLocked changes how much may be on its way, by a round trip and what was on its way until now.
func (p *pace) adaptLocked(l look, flight uint64) {
	queueing, since := l.latest-l.least, l.now.Sub(p.changed)
	if queueing > littleQueueing {
		p.queued = l.now
	}
	switch {
	case !p.narrow: // and so not the cause
	case queueing > mostQueueing && since > l.latest: // it was sent since
		fit := float64(min(p.most, flight)) * float64(l.least+mostQueueing) / float64(l.latest)
		p.slow = true
		p.changeLocked(pairs(max(uint64(fit), p.most/2)), l.now)
	case queueing > littleQueueing || p.arrived < serverBurstBytes:
	case p.slow || queueing > max(noQueueing, l.least):
		if since > max(l.latest, littleQueueing) && (!p.slow || l.now.Sub(p.queued) > calmTime) { // a server that was idle may let a burst through
			p.changeLocked(p.most+max(pairBytes, p.most/8), l.now)
		}
	case p.most < openBytes:
		p.changeLocked(openBytes, l.now)
	case since > l.latest: // QUIC by itself has twice as much on the way after each round trip, and is to be what holds back
		p.changeLocked(4*p.most, l.now)
	}
}

func (p *pace) changeLocked(most uint64, now time.Time) {
	p.most, p.narrow, p.changed = most, false, now
	p.slow = p.slow && most < 2*openBytes
}

// pairs is how much of n bytes is whole pairs of packets; at least one.
func pairs(n uint64) uint64 { return max(n/pairBytes, 1) * pairBytes }

// wait says that a writer waits, until done is called.
func (p *pace) wait() (done func()) {
	began := time.Now()
	p.waiting.Add(1)
	return func() {
		p.waiting.Add(-1)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.waited += time.Since(began)
	}
}

// next is closed when something comes from the peer.
func (p *pace) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.heard == nil {
		p.heard = make(chan struct{})
	}
	return p.heard
}

// wake is called when something has come from the peer.
func (p *pace) wake() {
	if p.waiting.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wakeLocked()
}

func (p *pace) wakeLocked() {
	if p.heard != nil {
		close(p.heard)
		p.heard = nil
	}
}

// state is for the log.
func (p *pace) state() (most uint64, waited time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most, p.waited
}

// company tells whether another pair is going to follow one at once, for the same message.
func (p *pace) company() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most >= messageBytes && p.most <= openBytes && p.narrow
}

// holdsBack tells whether a writer has waited for a moment for a server that is slow: a small packet that is sent now isn't a stream's.
func (p *pace) holdsBack(now time.Time) bool {
	if p.waiting.Load() == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most < openBytes && now.Sub(p.taken) > justNow
}
