package serve

import (
	"sync"
	"time"
)

const (
	// slowBytesPerSecond is the pace, divided by how many run, below which a push or fetch gives up its place to others: half of what those that run at once each have
	// where a server lets through 3 kB/s, of which base64 leaves two thirds.
	slowBytesPerSecond = 1024
	// smallFrameBytes is the size of frames to a peer that took longer than slowFrame for the last one: both sides see by them that something moves.
	smallFrameBytes = 2048
	slowFrame       = 5 * time.Second
)

// A pace tells how fast the other side of a job takes and sends what we wait for. What git takes to compute something, or a hook, doesn't count.
type pace struct {
	mu      sync.Mutex
	waits   int       // of reads and writes that wait for the peer now
	since   time.Time // when the first of them began
	waited  time.Duration
	moved   int // bytes, while it waited for so long
	tooSlow bool
}

// wait says that we wait for the peer until done is called, with how much it took or sent.
func (p *pace) wait() (done func(moved int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits++; p.waits == 1 {
		p.since = time.Now()
	}
	return func(moved int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.moved += moved
		p.tickLocked()
		p.waits--
	}
}

func (p *pace) tickLocked() {
	if now := time.Now(); p.waits > 0 {
		p.waited += now.Sub(p.since)
		p.since = now
	}
}

// forgive begins anew: the peer moves elsewhere.
func (p *pace) forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tickLocked()
	p.waited, p.moved, p.tooSlow = 0, 0, false
}

// slow tells whether less than so much a second has moved while we last waited for the peer, for so long in all.
func (p *pace) slow(bytesPerSecond int, long time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tickLocked()
	if p.waited >= long {
		p.tooSlow = float64(p.moved) < float64(bytesPerSecond)*p.waited.Seconds()
		p.waited, p.moved = 0, 0
	}
	return p.tooSlow
}
