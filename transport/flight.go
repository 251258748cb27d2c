package transport

import (
	"sync"
	"time"
)

const (
	// maxFallbackBytes is how much may be on its way to a peer through servers after a direct path has let the windows grow. What is more is dropped, as by a
	// network, by which QUIC slows down.
	maxFallbackBytes = connWindowBytes
	flightBlock      = 16 << 10
	flightBlocks     = maxFallbackBytes / flightBlock
)

// A flight estimates how many bytes are on their way to a peer through servers: those that were sent since one round trip before the peer was heard last, through
// servers or, while only its packets go directly, by these.
type flight struct {
	mu    sync.Mutex
	began []time.Time // when the first byte of each of the last blocks was sent
	bytes uint64      // sent in all
}

// admit notes n bytes, unless that would be too much on its way. Since is the time before which everything sent has arrived, or is lost.
func (f *flight) admit(n int, now, since time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.began == nil { // peers are many, and few have had a direct path
		f.began = make([]time.Time, flightBlocks)
	}
	block, next := f.bytes/flightBlock, (f.bytes+uint64(n))/flightBlock
	if next != block {
		oldest := &f.began[next%flightBlocks]
		if oldest.After(since) {
			return false
		}
		*oldest = now
	}
	f.bytes += uint64(n)
	return true
}

// mayFly tells whether n bytes more may be on their way to the peer through servers, and notes them.
func (p *peer) mayFly(n int) bool {
	if !p.routes.ever.Load() {
		return true // the peer's window, which hasn't grown, bounds them
	}
	now := time.Now()
	since := p.lastHeard()
	if conn := p.conn.Load(); conn != nil {
		since = since.Add(-conn.ConnectionStats().LatestRTT)
	}
	return p.flight.admit(n, now, since)
}
