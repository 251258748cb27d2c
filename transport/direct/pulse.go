package direct

import "time"

// probe sends a probe, as large as the largest packets if full is set.
func (p *path) probe(now time.Time, full bool) {
	buf, t := make([]byte, probeBytes+4), &p.small
	if full {
		buf, t = make([]byte, maxDatagramBytes), &p.full
	}
	p.mu.Lock()
	n := t.send(now)
	p.mu.Unlock()
	if full {
		n |= fullBit
	}
	p.sealer.seal(buf, frameProbe, n, []uint32{p.sender.latest()})
	_, _ = p.carrier.Write(buf) // as lost
}

// strain is what the probes say of how full the network is.
func (p *path) strain() strain {
	return strain{trip: time.Duration(p.trip.Load()), long: p.long.Load()}
}

// longExtra is how much longer than one and a half of the shortest a round trip may be, until the network counts as full.
const longExtra = 10 * time.Millisecond

// fullBit in the number of a probe says of which size it was.
const fullBit = 1 << 63

// echo answers a probe of the peer's, which says what the peer has sent.
func (p *path) echo(b []byte, m *misser) {
	n, latest, ok := p.sealer.open(b)
	if !ok || len(latest) == 0 {
		return
	}
	var answer [probeBytes]byte
	p.sealer.seal(answer[:], frameAnswer, n, nil)
	_, _ = p.carrier.Write(answer[:])
	m.told(latest[0], time.Now(), p.strain())
}

// echoed takes the answer to a probe of ours.
func (p *path) echoed(b []byte) {
	n, _, ok := p.sealer.open(b)
	if !ok {
		return
	}
	p.mu.Lock()
	if n&fullBit != 0 {
		ok = p.full.answer(n&^fullBit, time.Now())
	} else {
		ok = p.small.answer(n, time.Now())
	}
	p.trip.Store(int64(p.small.trip))
	p.long.Store(p.small.trip > p.small.shortest*3/2+longExtra)
	p.mu.Unlock()
	if ok && (!p.link.usable(p) || n&fullBit != 0 && !p.whole.Load()) {
		p.link.poke()
	}
}

// A pulse is what the probes of a path say.
type pulse struct {
	heard  bool // the latest probes were answered, at least one was
	silent bool
	trip   time.Duration
	loss   float64
	// The same for probes of the largest size.
	fullHeard, fullSilent bool
	fullSent              uint64
	waiting               bool // a probe is under way
}

func (p *path) pulse(now time.Time) pulse {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pulse{
		heard: p.small.answered > 0 && !p.small.silent(now), silent: p.small.silent(now), trip: p.small.trip, loss: p.small.loss(now),
		fullHeard: p.full.answered > 0 && !p.full.silent(now), fullSilent: p.full.silent(now), fullSent: p.full.next,
		waiting: p.small.waiting(now) > 0,
	}
}
