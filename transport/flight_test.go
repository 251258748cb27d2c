package transport

import (
	"testing"
	"time"

	"mellium.im/xmpp/jid"
)

// What is on its way stays under the limit, whatever the rate.
func TestFlight(t *testing.T) {
	var f flight
	now := time.Unix(1000, 0)
	sent := 0
	for f.admit(1400, now, now.Add(-time.Second)) {
		if sent += 1400; sent > 2*maxFallbackBytes {
			t.Fatal("no limit")
		}
	}
	if sent > maxFallbackBytes+flightBlock || sent < maxFallbackBytes-2*flightBlock {
		t.Errorf("%d bytes were admitted", sent)
	}
	if f.admit(1400, now.Add(time.Hour), now.Add(-time.Second)) { // nothing was heard since
		t.Error("more was admitted though nothing had arrived")
	}
	later := now.Add(2 * time.Second)
	if !f.admit(1400, later, later.Add(-time.Second)) {
		t.Error("nothing was admitted though all had arrived")
	}
	for i := range 10 * flightBlocks { // 1 MiB in a round trip of 100 ms
		later = later.Add(100 * time.Millisecond / (1 << 20 / flightBlock))
		if !f.admit(flightBlock, later, later.Add(-100*time.Millisecond)) {
			t.Fatalf("block %d wasn't admitted", i)
		}
	}
}

// After there has been a direct path, no more goes to the server for a peer that isn't heard than may be on its way; before, its own window decides.
func TestFallbackIsBounded(t *testing.T) {
	for _, ever := range []bool{false, true} {
		out := newOutbox()
		out.link(true)
		c := newPacketConn(newPeer(jid.MustParse("alice@localhost/a")), out)
		bob := newPeer(jid.MustParse("bob@localhost/b"))
		bob.heard()
		bob.routes.ever.Store(ever)
		taken := 0 // by the server
		record := make([]byte, 0, maxMessageBytes)
		for range 3 * maxFallbackBytes / maxPacketBytes {
			if _, err := c.WriteTo(make([]byte, maxPacketBytes), bob); err != nil {
				t.Fatal(err)
			}
			filled, _, _ := out.tryTake(record[:0])
			taken += len(filled)
		}
		if limit := 2 * maxFallbackBytes; ever != (taken < limit) || ever && taken < maxFallbackBytes {
			t.Errorf("after a direct path %v: %d bytes went to the server", ever, taken)
		}
		bob.heard() // an acknowledgement: all of it has arrived
		if n := bob.flight.bytes; ever && (!bob.mayFly(maxPacketBytes) || bob.flight.bytes == n) {
			t.Error("nothing may be sent though all has arrived")
		}
	}
}

// What is sent through servers isn't held up by a peer whose acknowledgements come directly, as when a path has broken for one side first, nor by a clock that is set back.
func TestFallbackHeardDirectly(t *testing.T) {
	c := newPacketConn(newPeer(jid.MustParse("alice@localhost/a")), newOutbox())
	bob := newPeer(jid.MustParse("bob@localhost/b"))
	bob.heard()
	bob.routes.ever.Store(true)
	for bob.mayFly(maxPacketBytes) {
	}
	c.deliverPacket(bob, []byte{0x40})
	if !bob.mayFly(maxPacketBytes) {
		t.Error("nothing may be sent though all has arrived")
	}
	if heard := bob.lastHeard(); heard == heard.Round(0) {
		t.Error("when the peer was heard is known by the clock alone")
	}
}
