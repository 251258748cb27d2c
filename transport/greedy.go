package transport

import (
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// maxSpareBytes is what QUIC may want to have on its way on a connection beyond twice its window. Twice the window is what comes of a peer's acknowledgements where the
	// windows of SPEC.md, section 3, are all that it may send; one that has wider windows has servers buffer for it, for as long as it doesn't read.
	maxSpareBytes = windowBytes
	// flightCheck is how often that is looked at.
	flightCheck = 250 * time.Millisecond

	codeProtocol quic.ApplicationErrorCode = 15
)

// watchFlight closes the connection of a peer that has us send more at once than it may. It looks until the connection has ended.
func (c *Conn) watchFlight() {
	stats := c.quic.ConnectionStats()
	switch {
	case c.quic.Context().Err() != nil:
	case !c.peer.routes.ever.Load() && stats.CongestionWindow > flightBytes(stats.MinRTT): // after a direct path see maxFallbackBytes
		c.endpoint.cfg.Log.Warn("connection closed: its window is too wide", "peer", c.peer.full)
		_ = c.quic.CloseWithError(codeProtocol, "window too wide") // never fails
	default:
		c.insist()
		time.AfterFunc(flightCheck, c.watchFlight)
	}
}

// flightBytes is what a peer whose shortest round trip is so long may have us want.
func flightBytes(trip time.Duration) uint64 { return 2*farWindow(trip) + maxSpareBytes }
