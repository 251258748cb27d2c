package transport

import "time"

const (
	// askEvery is how often QUIC may ask for what it hasn't heard of. Where nothing has waited yet, it asks after 30 ms, and 60, and so on, with all of it.
	askEvery = time.Second
	// askPatience is for how long a writer that waits asks instead, by a small packet.
	askPatience = 8 * time.Second
	// justNow is longer than it takes from QUIC's reading, or a stream's write, to the packet, and shorter than until QUIC asks.
	justNow = 20 * time.Millisecond
)

// early tells whether a full packet, sent now, is one by which QUIC asks again too early for what it hasn't heard of: it isn't one of a stream's that is new, nothing was heard
// lately, which could have told QUIC that something is lost, and it has asked already. Without that, a server
// that stops for a second after a burst has a second's worth of the same before it.
func (p *pace) early(now, heard time.Time) bool {
	if now.Sub(heard) < justNow {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == p.arrived || now.Sub(p.taken) < justNow || now.Sub(p.wrote) < justNow {
		return false
	}
	// By when data was sent, not by when something was heard: the peer may go on asking, while QUIC here waits twice as long each time.
	if p.most < openBytes && p.waiting.Load() > 0 && now.Sub(p.taken) < askPatience {
		p.ask = true
		p.wakeLocked()
		return true
	}
	if now.Sub(p.asked) < askEvery {
		return true
	}
	p.asked = now
	return false
}

// written notes that a full packet was written, for which the writer may have waited.
func (p *pace) written(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrote = now
}

// asks tells a writer that waits whether it is to ask the peer what has arrived. QUIC, which takes what it asks for again as lost, learns by the answer how long a round trip takes now.
func (p *pace) asks() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ask := p.ask
	p.ask = false
	return ask
}
