package transport

import (
	"context"
	"net"
	"os"
	"time"
)

// QUIC isn't told that packets go directly: it would have to be told at once when they don't any more. But what it has learnt of the way through servers, such as
// how much may be on its way, is wrong for the direct one, and it would take long to learn better. So it is made to begin anew, once for each connection,
// as after a migration (RFC 9000, 9): the side that dialled migrates to a conn that does what the other one does, and the other side sees packets come from an address that means the same peer.

// migrateWithin is how long the other side has to agree.
const migrateWithin = 10 * time.Second

// A directAddr is the address of a peer that there has been a direct path to.
type directAddr struct{ peer *peer }

// Network is "xmpp".
func (a directAddr) Network() string { return a.peer.Network() }

// String isn't that of the peer.
func (a directAddr) String() string { return a.peer.full + " (direct)" }

// from is the address that a short-header packet of the peer's has for QUIC. It changes when the side that dialled sends the first packet directly, which is when it
// begins to migrate: quic-go doesn't answer who asks for that when it has seen the address for a round trip. It doesn't change back, since the migration is for good.
func (p *peer) from(datagram []byte) net.Addr {
	if isShortHeader(datagram) && p.routes.came.Load() {
		return p.direct
	}
	return p
}

func isShortHeader(datagram []byte) bool { return len(datagram) > 0 && datagram[0]&0x80 == 0 }

// peerAt is the peer that an address of QUIC's means.
func peerAt(addr net.Addr) *peer {
	switch a := addr.(type) {
	case *peer:
		return a
	case *directAddr:
		return a.peer
	}
	return nil
}

// A migrated conn sends as its packetConn does. What comes is delivered to that one.
type migrated struct {
	*packetConn
	deadline deadline
}

func newMigrated(c *packetConn) *migrated {
	m := &migrated{packetConn: c}
	m.deadline.init()
	return m
}

// ReadFrom waits for the end.
func (m *migrated) ReadFrom([]byte) (int, net.Addr, error) {
	select {
	case <-m.deadline.passed():
		return 0, nil, os.ErrDeadlineExceeded
	case <-m.done:
		return 0, nil, net.ErrClosed
	}
}

// SetDeadline sets the deadline of reads.
func (m *migrated) SetDeadline(t time.Time) error { return m.SetReadDeadline(t) }

// SetReadDeadline makes reads fail after t.
func (m *migrated) SetReadDeadline(t time.Time) error {
	m.deadline.set(t)
	return nil
}

// migrate has QUIC begin anew, on the side that dialled, and learn what a direct path is like.
func (c *Conn) migrate() {
	ctx, cancel := context.WithTimeout(c.quic.Context(), migrateWithin)
	defer cancel()
	path, err := c.quic.AddPath(c.endpoint.quicDirect)
	if err == nil {
		if err = path.Probe(ctx); err == nil {
			err = path.Switch()
		}
	}
	if err != nil && c.quic.Context().Err() == nil {
		c.endpoint.cfg.Log.Debug("not migrated", "peer", c.peer.full, "err", err)
	}
}
