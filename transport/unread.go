package transport

import "time"

const (
	// maxUnread is how many packets of a far peer's QUIC is given that it hasn't looked at: it drops those over 256, and slows the peer down by that.
	maxUnread = 128
	// unreadPatience is for how long it is waited for QUIC to look at more.
	unreadPatience = 20 * time.Millisecond
)

// unread counts the packets that QUIC was given of a far peer's, whose bursts are long. Those of another connection than the peer's latest are counted, too, which is
// wrong; so nothing waits for long. It is for one goroutine.
type unread struct {
	given uint64 // counted as QUIC does
}

// give waits, but not for long, until QUIC, which tells how many packets it has read, can take one more. It looks again whenever QUIC has sent something: it
// acknowledges what it reads.
func (u *unread) give(read func() uint64, sent <-chan struct{}) {
	n := read()
	if u.given < n || u.given > n+maxUnread { // of an earlier connection, or packets that were not for this one
		u.given = n
	}
	u.given++
	if u.given <= n+maxUnread {
		return
	}
	late := time.After(unreadPatience)
	for u.given > n+maxUnread {
		select {
		case <-sent:
			n = read()
		case <-late:
			u.given = n + 1
			return
		}
	}
}

// awaitReader waits for QUIC before it is given a packet of a far peer's.
func (c *packetConn) awaitReader(from *peer) {
	if conn := from.conn.Load(); conn != nil && from.came.far() {
		from.unread.give(func() uint64 { return conn.ConnectionStats().PacketsReceived }, c.sent)
	}
}
