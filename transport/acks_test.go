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

// While a far peer sends much, acknowledgements to it wait for a part of the round trip and go together, the latest first. Nothing else waits, nor they
// for a near peer, nor when little comes.
func TestHeldAcks(t *testing.T) {
	const trip = 300 * time.Millisecond
	for _, c := range []struct {
		name    string
		trip    time.Duration
		packets int // full ones that came
		last    int // bytes of the packet that is sent after three acknowledgements
		wait    time.Duration
		firsts  []byte
	}{
		{"far", trip, bulkPackets, 30, trip / ackHoldPart, []byte{4, 3, 2, 1}},
		{"very far", 10 * trip, bulkPackets, 30, maxAckHold, []byte{4, 3, 2, 1}},
		{"far, with something else", trip, bulkPackets, maxAckBytes + 1, 0, []byte{3, 2, 1, 4}},
		{"far, and little comes", trip, bulkPackets - 1, 30, 0, []byte{4, 3, 2, 1}},
		{"near", farTrip / 2, bulkPackets, 30, 0, []byte{4, 3, 2, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, o := testPeer("bob@example.org/r"), newOutbox()
				o.link(true)
				p.acks.full(c.packets, c.trip, time.Now())
				sizes := []int{30, 30, 30, c.last}
				for i, size := range sizes {
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

// A round trip after much has come, acknowledgements don't wait any more.
func TestHeldAcksEnd(t *testing.T) {
	const trip = 300 * time.Millisecond
	var a ackHold
	now := time.Now()
	a.full(bulkPackets, trip, now)
	if a.delay(now.Add(trip-1)) == 0 || a.delay(now.Add(trip)) != 0 {
		t.Error("they wait until", a.end.Load()-now.UnixNano())
	}
}
