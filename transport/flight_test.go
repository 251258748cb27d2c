package transport

import (
	"testing"
	"time"
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
