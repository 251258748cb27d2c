package transport

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// Full packets that QUIC spreads over a round trip go in pairs all the same. The last one of an odd number waits no longer than pacedDelay, and what
// ends with less than a full packet only packingDelay.
func TestPacedPackets(t *testing.T) {
	const many, apart = 21, 2 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		p := testPeer("bob@example.org/r")
		o := newOutbox()
		o.link(true)
		packets := func(sizes ...int) {
			for _, size := range sizes {
				time.Sleep(apart)
				if err := o.packet(p, make([]byte, size)); err != nil {
					t.Error(err)
				}
			}
		}
		sizes := make([]int, many)
		for i := range sizes {
			sizes[i] = int(packetSize(p))
		}
		go packets(sizes...)
		began, taken := time.Now(), 0
		for packets := 0; packets < many; taken++ {
			record := o.take(t.Context(), nil)
			packets += len(record) / 1900 // of base64
			if n := bytes.Count(record, []byte("<p ")); n != 1 {
				t.Errorf("%d payloads at once", n)
			}
		}
		if most := many/2 + 1; taken > most {
			t.Errorf("%d messages for %d packets, want %d", taken, many, most)
		}
		if took := time.Since(began); took > many*apart+pacedDelay {
			t.Errorf("the last one was taken after %v", took)
		}
		packets(sizes[0])
		if err := o.packet(p, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		if _ = o.take(t.Context(), nil); time.Since(began) != packingDelay {
			t.Errorf("the end of a flow was taken after %v", time.Since(began))
		}
	})
}
