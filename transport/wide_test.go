package transport

import (
	"testing"
	"time"

	"mellium.im/xmpp/jid"
)

// sends makes a peer one who sends so much in a second, with such a shortest round trip.
func (p *peer) sends(bytes int, trip time.Duration) {
	now := time.Now()
	for range 100 {
		p.came.full(1, int(float64(bytes)*trip.Seconds()/50), trip, trip, now)
		now = now.Add(trip/50 + 1)
	}
}

// inBand is alice's connection to bob, and bob's, without direct paths.
func inBand(t *testing.T) (alice, bob *Conn) {
	t.Helper()
	_, alice, bob = near(t, func(_ *lan, a, b *Config) { a.Direct, b.Direct = nil, nil })
	return alice, bob
}

// A window grows only for a far peer who sends enough to need that: not for a near one, nor where a server is slow, however long its queue.
func TestFarWindow(t *testing.T) {
	alice, _ := inBand(t)
	for _, c := range []struct {
		name  string
		rate  int
		trip  time.Duration
		times int // that it may be doubled
	}{
		{"near", 50e6, farTrip - 1, 0},
		{"a slow server", 1e6, 200 * time.Millisecond, 0},
		{"far", 5e6, 200 * time.Millisecond, 1},
		{"far, and fast", 10e6, 400 * time.Millisecond, 2},
		{"as fast, and not so far", 40e6, 100 * time.Millisecond, 1},
		{"as fast, and hardly far", 200e6, 20 * time.Millisecond, 0},
		{"far, and as fast as can be", 1e9, 400 * time.Millisecond, 2},
		{"so far that it is the peer that waits", 1e6, time.Minute, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(jid.MustParse("carol@localhost/c"))
			p.sends(c.rate, c.trip)
			allow := alice.endpoint.widen(p)
			window, times := uint64(connWindowBytes), 0
			for times < 10 && allow(alice.quic, window) {
				window, times = 2*window, times+1
			}
			if times != c.times {
				t.Errorf("doubled %d times, want %d; %d bytes come in a round trip", times, c.times, p.came.perTrip.Load())
			}
		})
	}
}

// A peer that turns out to be near doesn't count as a far one any more.
func TestFarNoMore(t *testing.T) {
	p := newPeer(jid.MustParse("carol@localhost/c"))
	p.sends(50e6, time.Second)
	if p.came.full(1, 1, farTrip-1, time.Second, time.Now()); p.needs(connWindowBytes + 1) {
		t.Error("its window may grow")
	}
}

// Only so many connections have wide windows at once.
func TestWideConnections(t *testing.T) {
	alice, bob := inBand(t)
	e := alice.endpoint
	for i := range maxDirectWide + 1 {
		p := newPeer(jid.MustParse("carol@localhost/c"))
		p.sends(50e6, 200*time.Millisecond)
		if allow, want := e.widen(p), i < maxDirectWide; allow(alice.quic, connWindowBytes/2) != want || allow(alice.quic, 1) != want {
			t.Errorf("connection %d: not %v", i, want)
		}
	}
	alice.Close(0)
	for begin := time.Now(); e.directWide.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Since(begin) > routeDeadline {
			t.Fatalf("%d have them when they have ended", e.directWide.Load())
		}
	}
	bob.Close(0)
}
