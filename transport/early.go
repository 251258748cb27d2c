package transport

import "time"

const (
	// askEvery is how often QUIC may ask for what it hasn't heard of by full packets where the server may be slow. Where nothing has waited yet, it asks after 30 ms, and 60, and so on,
	// with all of it. By others it may ask each time when it has waited for half as long again, which is sooner than it does by itself, and each againMost.
	askEvery  = time.Second
	againMost = 2 * time.Second
	// askPatience is for how long a writer that waits for a server asks instead, by a nudge: after firstAsk, each time when it has waited for twice as long, and each againMost.
	askPatience = 8 * time.Second
	firstAsk    = 250 * time.Millisecond
	// justNow is longer than it takes from QUIC's reading, or a stream's write, to the packet, and shorter than until QUIC asks.
	justNow = 20 * time.Millisecond
	// ackNow is longer than an acknowledgement waits in QUIC (25 ms), and mostAckBytes is what one of 64 ranges takes, its most.
	ackNow       = 40 * time.Millisecond
	mostAckBytes = 160
)

// A sending is a packet of QUIC's that is about to go through servers, and what is known then.
type sending struct {
	now, heard time.Time // when something came from the peer last
	bytes      int
	lost       uint64 // packets that QUIC has found to be lost, in all
}

// early tells whether a packet, sent now, is one by which QUIC asks again too early for what it hasn't heard of: it isn't one of a stream's that is new, nothing was found to be
// lost, no acknowledgement is due, and it has asked already. Without that, a server that stops for a second after a burst has a second's worth of the same before it; and one that is slow
// may never be through with it, as an answer to what was asked long ago has QUIC begin again with its shortest wait.
func (p *pace) early(s sending) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	slow, full := p.most < openBytes, s.bytes >= minPacketBytes
	switch {
	case p.wantedLocked(s) || !slow && (!full || s.now.Sub(s.heard) < ackNow):
		return false
	case slow && p.waiting.Load() > 0 && s.now.Sub(p.fresh) < askPatience: // by when data was sent: the peer may go on asking, while QUIC here waits twice as long each time
		return p.nudgesLocked(s.now)
	case slow && full:
		if s.now.Sub(p.asked) < askEvery {
			return true
		}
		p.asked = s.now
		return false
	default:
		return s.now.Sub(p.again) >= justNow && p.againLocked(s.now, 2)
	}
}

// wantedLocked tells whether a packet is something else than asking, or has a reason.
func (p *pace) wantedLocked(s sending) bool {
	just := func(when time.Time) bool { return s.now.Sub(when) < justNow }
	found := s.lost != p.lost // fewer are those of another connection
	p.lost = s.lost
	small := s.bytes <= mostAckBytes
	if small && just(p.nudged) {
		p.went = s.now
		return true
	}
	return p.sent == p.arrived || found || just(p.taken) || just(p.wrote) || just(time.Unix(0, p.touched.Load())) || small && s.now.Sub(s.heard) < ackNow
}

// nudgesLocked tells whether a packet gives way to a writer's nudge: not when QUIC had no room for the last one.
func (p *pace) nudgesLocked(now time.Time) bool {
	if now.Sub(p.fresh) < firstAsk || p.againLocked(now, 1) {
		return true
	}
	if p.nudged.After(p.went) {
		return false
	}
	p.ask = true
	p.wakeLocked()
	return true
}

// againLocked tells whether it is too soon to ask again, less than a part of the time that it has waited after the last time; if not, now is the last time.
func (p *pace) againLocked(now time.Time, part time.Duration) bool {
	if now.Sub(p.again) < min(p.again.Sub(p.fresh)/part, againMost) {
		return true
	}
	p.again = now
	return false
}

// early tells whether a packet of so many bytes, which goes through servers now, is one that pace.early means.
func (p *peer) early(bytes int) bool {
	conn := p.conn.Load()
	return conn != nil && conn.Context().Err() == nil && p.closing.Load() == 0 && p.pace.early(sending{time.Now(), p.lastHeard(), bytes, conn.ConnectionStats().PacketsLost})
}

// written notes that a full packet was written, for which the writer may have waited.
func (p *pace) written(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrote = now
}

// touch notes that a stream is about to be read or closed, by which QUIC may have something to say.
func (p *pace) touch() { p.touched.Store(time.Now().UnixNano()) }

// nudge notes that the peer is about to be asked by a small packet, again or not.
func (p *pace) nudge(now time.Time, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nudged = now
	if !again {
		p.fresh = now
	}
}

// asks tells a writer that waits whether it is to ask the peer what has arrived. QUIC, which takes what it asks for again as lost, learns by the answer how long a round trip takes now.
func (p *pace) asks() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ask := p.ask
	p.ask = false
	return ask
}
