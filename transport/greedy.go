package transport

import (
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// maxFlightBytes is what QUIC may want to have on its way on a connection. It is what comes of a peer's acknowledgements where the windows of SPEC.md, section 3, are all
	// that it may send, twice over; one that has wider windows has servers buffer for it, for as long as it doesn't read. Those of a far peer hold for all: who is far is said
	// by the other side, and anybody can answer late.
	maxFlightBytes = 2*farConnWindowBytes + windowBytes
	// flightCheck is how often that is looked at.
	flightCheck = 250 * time.Millisecond

	codeProtocol quic.ApplicationErrorCode = 15
)

// watchFlight closes the connection of a peer that has us send more at once than it may. It looks until the connection has ended.
func (c *Conn) watchFlight() {
	switch {
	case c.quic.Context().Err() != nil:
	case !c.peer.routes.ever.Load() && c.quic.ConnectionStats().CongestionWindow > maxFlightBytes: // after a direct path see maxFallbackBytes
		c.endpoint.cfg.Log.Warn("connection closed: its window is too wide", "peer", c.peer.full)
		_ = c.quic.CloseWithError(codeProtocol, "window too wide") // never fails
	default:
		time.AfterFunc(flightCheck, c.watchFlight)
	}
}
