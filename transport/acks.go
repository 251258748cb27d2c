package transport

import (
	"sync/atomic"
	"time"
)

const (
	// maxAckBytes is the size up to which a packet may be nothing but an acknowledgement.
	maxAckBytes = 64
	// farTrip is the least round trip by which a peer is far.
	farTrip = 10 * time.Millisecond
	// Acknowledgements to a far peer wait for this part of the round trip, and no longer than maxAckHold.
	ackHoldPart = 6
	maxAckHold  = 100 * time.Millisecond
)

// ackHold tells for how long acknowledgements to a far peer wait while it sends much. QUIC's slow start (HyStart) ends when the round trip of the first eight
// acknowledgements of a round is longer than it was, which it always is where TCP, below, begins slowly itself; then the window grows by a packet in a
// round, and never gets wide. With fewer acknowledgements than that it goes on up to the window of the other side.
type ackHold struct {
	end  atomic.Int64 // until when they wait, Unix nanoseconds
	wait atomic.Int64

	// How many full packets came since when; for the goroutine that they come by.
	since time.Time
	count int
}

// full notes full packets that came from the peer, whose round trip is so long.
func (a *ackHold) full(packets int, trip time.Duration, now time.Time) {
	if trip < farTrip {
		return
	}
	if now.Sub(a.since) > trip {
		a.since, a.count = now, 0
	}
	if a.count += packets; a.count >= bulkPackets {
		a.wait.Store(int64(min(trip/ackHoldPart, maxAckHold)))
		a.end.Store(now.Add(trip).UnixNano())
	}
}

// delay is 0 when they don't wait.
func (a *ackHold) delay(now time.Time) time.Duration {
	if now.UnixNano() >= a.end.Load() {
		return 0
	}
	return time.Duration(a.wait.Load())
}
