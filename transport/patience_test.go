package transport

import (
	"testing"
	"time"
)

// A clock that is set, or a machine that sleeps, makes a silence no shorter than it is, and no link is given up for it without a ping.
func TestMomentByTwoClocks(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct{ wall, mono, want time.Duration }{ // how far each clock has gone
		"nothing happens":          {10 * time.Second, 10 * time.Second, 10 * time.Second},
		"the clock is set back":    {-time.Hour, 10 * time.Second, 10 * time.Second},
		"the clock is set forward": {time.Hour, 10 * time.Second, time.Hour},
		"the machine has slept":    {time.Hour + 10*time.Second, 10 * time.Second, time.Hour + 10*time.Second},
	} {
		var m moment
		m.wall.Store(now.Add(-c.wall).UnixNano())
		m.mono.Store(int64(now.Add(-c.mono).Sub(processStart)))
		if got := m.since(now); got != c.want {
			t.Errorf("%s: %v ago, want %v", name, got, c.want)
		}
	}
}

func TestPatience(t *testing.T) {
	const minute = time.Minute
	for name, c := range map[string]struct {
		timeout      time.Duration
		busy         bool
		silent       time.Duration // before the first look
		sleeps       time.Duration // after the ping
		answered     bool          // the ping
		pinged, lost time.Duration // after how much silence; 0: never
	}{
		"idle":                          {2 * minute, false, 0, 0, false, 70 * time.Second, 110 * time.Second},
		"idle, the server answers":      {2 * minute, false, 0, 0, true, 70 * time.Second, 0},
		"busy":                          {2 * minute, true, 0, 0, false, 28 * time.Second, 44 * time.Second},
		"busy, the server answers":      {2 * minute, true, 0, 0, true, 28 * time.Second, 0},
		"a short timeout":               {30 * time.Second, true, 0, 0, false, 7 * time.Second, 11 * time.Second},
		"a very short timeout":          {time.Second, true, 0, 0, false, 3500 * time.Millisecond, 5500 * time.Millisecond},
		"a long timeout":                {time.Hour, true, 0, 0, false, 70 * time.Second, 110 * time.Second},
		"woken":                         {2 * minute, true, time.Hour, 0, false, time.Hour, time.Hour + 8*time.Second},
		"woken, the server answers":     {2 * minute, true, time.Hour, 0, true, time.Hour, 0},
		"stopped while a ping is out":   {2 * minute, true, 0, time.Hour, false, 28 * time.Second, time.Hour + 40*time.Second},
		"stopped, and it answered then": {2 * minute, true, 0, time.Hour, true, 28 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPatience(c.timeout, c.busy)
			var pinged, lost time.Duration
			silence, elapsed := c.silent, p.every()
			for range 20 {
				ping, gone := p.look(silence, elapsed)
				elapsed = p.every()
				if ping {
					pinged = silence
					elapsed += c.sleeps
				}
				if gone {
					lost = silence
					break
				}
				if silence += elapsed; pinged > 0 && c.answered {
					silence = 0
					break
				}
			}
			if c.answered {
				if ping, gone := p.look(0, p.every()); ping || gone || p.pinged {
					t.Errorf("after an answer: ping %v, lost %v", ping, gone)
				}
			}
			if pinged != c.pinged || lost != c.lost {
				t.Errorf("pinged after %v, lost after %v; want %v, %v", pinged, lost, c.pinged, c.lost)
			}
		})
	}
}
