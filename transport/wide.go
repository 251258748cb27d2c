package transport

import (
	"context"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// The windows while there is a direct path, where no server has to keep what is on its way.
	directWindowBytes     = 10 << 20
	directConnWindowBytes = 16 << 20
	// farConnWindowBytes is the widest window of a connection with a far peer through servers. It bounds the streams', too.
	farConnWindowBytes = 4 * connWindowBytes
	// farWindowRate is how much in a second a far peer's window lets through, up to that, in bytes.
	farWindowRate = 30 << 20
	// maxDirectWide is how many connections may have wide windows at once, these or those: what a peer sends is kept until we read it.
	maxDirectWide = 8
	// maxFarTrip is the longest round trip for which windows grow: it is the peer that makes it long.
	maxFarTrip = time.Second
)

// wideWindow is the widest of a connection and its streams; [Endpoint.widen] tells when.
func (e *Endpoint) wideWindow() (stream, conn uint64) {
	if e.cfg.Direct == nil {
		return farConnWindowBytes, farConnWindowBytes
	}
	return directWindowBytes, directConnWindowBytes
}

// widen tells whether a connection's window may grow when QUIC wants that: while there is a direct path, where no server has to keep what is on its way,
// and where the peer is far and what comes is more than the window lets through.
func (e *Endpoint) widen(p *peer) func(*quic.Conn, uint64) bool {
	wide := false
	window := uint64(connWindowBytes)
	return func(c *quic.Conn, more uint64) bool {
		if !p.routes.up() && !p.needs(window+more) {
			return false
		}
		if !wide && e.directWide.Add(1) > maxDirectWide {
			e.directWide.Add(-1)
			return false
		}
		if !wide {
			wide = true
			context.AfterFunc(c.Context(), func() { e.directWide.Add(-1) })
		}
		window += more
		return true
	}
}

// needs tells whether so wide a window is of use for what the peer sends: twice what comes in a round trip, and twice that since it sends twice as much after each,
// at first. What waits in servers doesn't count, since a round trip is the shortest one.
func (p *peer) needs(window uint64) bool {
	return window <= min(farWindow(time.Duration(p.came.trip.Load())), 4*uint64(p.came.perTrip.Load()))
}

// farWindow is the widest window of a connection whose shortest round trip is so long.
func farWindow(trip time.Duration) uint64 {
	return min(max(connWindowBytes, uint64(farWindowRate*trip.Seconds())), farConnWindowBytes)
}
