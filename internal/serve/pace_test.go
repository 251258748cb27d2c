package serve

import (
	"testing"
	"testing/synctest"
	"time"
)

// A peer is too slow if we wait for it all the time and little moves; not if git takes its time, and not if it has as much as a slow server lets through.
func TestPace(t *testing.T) {
	const long = 2 * time.Minute
	for name, c := range map[string]struct {
		bytes     int           // of each piece
		wait, git time.Duration // for the peer, and for git, in each round
		running   int
		slow      bool
	}{
		"nothing is taken":               {0, time.Second, 0, 1, true},
		"a byte a second":                {1, time.Second, 0, 1, true},
		"a share of 3 kB/s":              {smallFrameBytes, 8 * time.Second, 0, 8, false},
		"all of 3 kB/s":                  {32 << 10, 16 * time.Second, 0, 1, false},
		"half of what slow ones get":     {smallFrameBytes, 17 * time.Second, 0, 8, true},
		"git takes its time":             {10, 10 * time.Millisecond, 5 * time.Second, 1, false},
		"a fast peer and little to send": {10, time.Millisecond, time.Second, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p pace
				slow := false
				for began := time.Now(); time.Since(began) < 3*long; {
					done := p.wait()
					time.Sleep(c.wait)
					slow = p.slow(slowBytesPerSecond/c.running, long)
					done(c.bytes)
					time.Sleep(c.git)
				}
				if slow != c.slow {
					t.Errorf("slow: %v", slow)
				}
				if p.forgive(); p.slow(slowBytesPerSecond, long) {
					t.Error("slow, although forgiven")
				}
			})
		})
	}
}
