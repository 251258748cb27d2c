package transport

import (
	"encoding/base64"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/chunk"
)

var payloadText = regexp.MustCompile(`<p [^>]*>([^<]*)</p>`)

// firstsIn are the first bytes of the packets in a record.
func firstsIn(t *testing.T, record []byte) (firsts []byte) {
	t.Helper()
	for _, m := range payloadText.FindAllSubmatch(record, -1) {
		payload, err := base64.StdEncoding.DecodeString(string(m[1]))
		if err == nil {
			err = chunk.Split(payload, func(d []byte) { firsts = append(firsts, d[0]) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return firsts
}

// While a far peer sends much, acknowledgements to it wait for a part of the round trip and go together, the latest first. Nothing else waits or changes its place, nor do
// they for a near peer, nor when little comes.
func TestHeldAcks(t *testing.T) {
	const trip = 300 * time.Millisecond
	for _, c := range []struct {
		name    string
		trip    time.Duration
		lately  time.Duration
		packets int // full ones that came
		last    int // bytes of the packet that is sent after three acknowledgements
		wait    time.Duration
		firsts  []byte
	}{
		{"far", trip, trip, farPackets, 30, trip / ackHoldPart, []byte{4, 3, 2, 1}},
		{"far, with a queue", trip / 2, trip, farPackets, 30, trip / ackHoldPart, []byte{4, 3, 2, 1}},
		{"very far", 10 * trip, trip, farPackets, 30, maxAckHold, []byte{4, 3, 2, 1}},
		{"far, with something else", trip, trip, farPackets, maxAckBytes + 1, 0, []byte{3, 2, 1, 4}},
		{"far, and little comes", trip, trip, farPackets - 1, 30, 0, []byte{1, 2, 3, 4}},
		{"near, with a queue", farTrip / 2, trip, bulkPackets, 30, 0, []byte{1, 2, 3, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, o := testPeer("bob@example.org/r"), newOutbox()
				o.link(true)
				p.came.full(c.packets, c.packets*maxPacketBytes, c.trip, c.lately, time.Now())
				for i, size := range []int{30, 30, 30, c.last} {
					packet := make([]byte, size)
					packet[0] = byte(i + 1)
					if err := o.packet(p, packet); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				record := o.take(t.Context(), nil)
				if took := time.Since(began); took != c.wait {
					t.Errorf("they waited %v, want %v", took, c.wait)
				}
				if firsts := firstsIn(t, record); !slices.Equal(firsts, c.firsts) {
					t.Errorf("in the order %v, want %v", firsts, c.firsts)
				}
			})
		})
	}
}

// An acknowledgement after something else goes behind it, and what is held doesn't hold up others.
func TestHeldAcksKeepOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, other, o := testPeer("bob@example.org/r"), testPeer("carol@example.org/r"), newOutbox()
		o.link(true)
		far.came.full(farPackets, 0, time.Second, time.Second, time.Now())
		for i, size := range []int{maxAckBytes + 1, 30, 30} {
			packet := make([]byte, size)
			packet[0] = byte(i + 1)
			if err := o.packet(far, packet); err != nil {
				t.Fatal(err)
			}
		}
		if firsts := firstsIn(t, o.take(t.Context(), nil)); !slices.Equal(firsts, []byte{1, 2, 3}) {
			t.Errorf("in the order %v", firsts)
		}
		if err := o.packet(far, []byte{1}); err != nil {
			t.Fatal(err)
		}
		if err := o.packet(other, []byte{2}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if o.take(t.Context(), nil); time.Since(began) != 0 {
			t.Errorf("another peer's packet waited %v", time.Since(began))
		}
	})
}

// A round trip after much has come, acknowledgements don't wait any more.
func TestHeldAcksEnd(t *testing.T) {
	const trip = 300 * time.Millisecond
	var a arrivals
	now := time.Now()
	a.full(farPackets, 0, trip, trip, now)
	if a.ackDelay(now.Add(trip-1)) == 0 || a.ackDelay(now.Add(trip)) != 0 {
		t.Error("they wait until", a.holdEnd.Load()-now.UnixNano())
	}
}

// Where a writer waits for a server that is slow, acknowledgements go with what is written next; without that they wait for half a second.
func TestAcksWaitForWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, o := testPeer("bob@example.org/r"), newOutbox()
		o.link(true)
		p.pace.most, p.pace.taken = pairBytes, time.Now()
		send := func(packets ...int) {
			for _, size := range packets {
				if err := o.packet(p, make([]byte, size)); err != nil {
					t.Fatal(err)
				}
			}
		}
		took := func() time.Duration {
			began := time.Now()
			o.take(t.Context(), nil)
			return time.Since(began)
		}
		done := p.pace.wait()
		if send(30); took() != 0 {
			t.Error("a stream's small packet waited")
		}
		time.Sleep(2 * justNow)
		if send(30); took() != maxSlowAckHold {
			t.Error("an acknowledgement didn't wait")
		}
		if send(30, maxPacketBytes, maxPacketBytes); took() != packingDelay && took() != pacedDelay {
			t.Error("it held up what it waited for")
		}
		done()
		if send(30); took() != 0 {
			t.Error("it waited for nobody")
		}
	})
}
