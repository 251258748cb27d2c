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
	// farPackets full packets within a round trip are much: fewer than what has eight acknowledgements.
	farPackets = 6
	// Acknowledgements to a far peer wait for this part of the round trip as it is now, and no longer than maxAckHold.
	ackHoldPart = 4
	maxAckHold  = 100 * time.Millisecond
	// maxSlowAckHold is for how long they wait where the server is slow, for what a stream holds back: each by itself costs a message.
	maxSlowAckHold = 500 * time.Millisecond
)

// arrivals are the full packets that come from a peer in messages. They tell for how long acknowledgements to a far peer wait while it sends much. QUIC's slow start
// (HyStart) ends when the round trip of the first eight acknowledgements of a round is longer than it was, which it always is where TCP, below, begins slowly itself;
// then the window grows by a packet in a round, and never gets wide. With fewer acknowledgements than that it goes on up to the window of the other side.
type arrivals struct {
	holdEnd atomic.Int64 // until when acknowledgements wait, Unix nanoseconds
	hold    atomic.Int64 // for how long
	trip    atomic.Int64 // the shortest round trip that counts
	perTrip atomic.Int64 // bytes that came in the last one that is over; 0 from one who is near

	// What has come since when; for the goroutine that it comes by.
	since          time.Time
	packets, bytes int
}

// full notes full packets from a peer whose shortest round trip is so long, and so long on average lately.
func (a *arrivals) full(packets, bytes int, trip, lately time.Duration, now time.Time) {
	if trip < farTrip {
		a.perTrip.Store(0)
		return
	}
	trip = min(trip, maxFarTrip)
	a.trip.Store(int64(trip))
	if past := now.Sub(a.since); past > trip {
		a.perTrip.Store(int64(float64(a.bytes) * float64(trip) / float64(past)))
		a.since, a.packets, a.bytes = now, 0, 0
	}
	a.packets, a.bytes = a.packets+packets, a.bytes+bytes
	if a.packets >= farPackets {
		a.hold.Store(int64(min(max(trip, lately)/ackHoldPart, maxAckHold)))
		a.holdEnd.Store(now.Add(trip).UnixNano())
	}
}

// far tells whether much has come from the peer, who is far.
func (a *arrivals) far() bool { return a.holdEnd.Load() > 0 }

// ackDelay is for how long acknowledgements to the peer wait; 0 when they don't.
func (a *arrivals) ackDelay(now time.Time) time.Duration {
	if now.UnixNano() >= a.holdEnd.Load() {
		return 0
	}
	return time.Duration(a.hold.Load())
}

// ackHold is the same for whatever reason.
func (p *peer) ackHold(now time.Time) time.Duration {
	if p.pace.holdsBack(now) {
		return maxSlowAckHold
	}
	return p.came.ackDelay(now)
}
