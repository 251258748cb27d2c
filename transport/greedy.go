package transport

import (
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// maxFlightBytes is what QUIC may want to have on its way on a connection. It is what comes of a peer's acknowledgements where the windows of SPEC.md, section 3, are all
	// that it may send, twice over; one that has wider windows has servers buffer for it, for as long as it doesn't read.
	maxFlightBytes = 2*connWindowBytes + windowBytes
	// maxFarFlightBytes is the same for a peer that is far, whose windows may grow.
	maxFarFlightBytes = 2*farConnWindowBytes + windowBytes
	// flightCheck is how often that is looked at.
	flightCheck = 250 * time.Millisecond

	codeProtocol quic.ApplicationErrorCode = 15
)

// watchFlight closes the connection of a peer that has us send more at once than it may. It looks until the connection has ended.
func (c *Conn) watchFlight() {
	stats, most := c.quic.ConnectionStats(), uint64(maxFlightBytes)
	if stats.MinRTT >= farTrip && stats.MinRTT <= maxFarTrip { // longer ones may be the peer's doing
		most = maxFarFlightBytes
	}
	switch {
	case c.quic.Context().Err() != nil:
	case !c.peer.routes.ever.Load() && stats.CongestionWindow > most: // after a direct path see maxFallbackBytes
		c.endpoint.cfg.Log.Warn("connection closed: its window is too wide", "peer", c.peer.full)
		_ = c.quic.CloseWithError(codeProtocol, "window too wide") // never fails
	default:
		time.AfterFunc(flightCheck, c.watchFlight)
	}
}
