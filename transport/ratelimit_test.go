package transport

import (
	"context"
	"encoding/xml"
	"testing"
	"testing/synctest"
	"time"
)

// What is written keeps to the limit; a pause isn't made up for.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := rateLimit{most: 10_000}
		begin := time.Now()
		for range 100 {
			if !l.wait(t.Context().Done(), 1000, time.Now()) {
				t.Fatal("given up")
			}
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("100,000 bytes took %v", took)
		}
		time.Sleep(time.Minute)
		begin = time.Now()
		l.wait(t.Context().Done(), 1000, time.Now())
		if took := time.Since(begin); took != 100*time.Millisecond {
			t.Errorf("1,000 bytes after a pause took %v", took)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if l.wait(ended.Done(), 1_000_000, time.Now()) {
			t.Error("waited for a link that is gone")
		}
	})
}

// writeFor writes pieces to a limit for a time, as fast as a server and the limit let it, and returns how many bytes that were in a second.
func writeFor(l *rateLimit, serversRate int, long time.Duration) (rate int) {
	const piece = 1000
	begin, written := time.Now(), 0
	for time.Since(begin) < long {
		time.Sleep(piece * time.Second / time.Duration(serversRate))
		l.wait(nil, piece, time.Now())
		written += piece
	}
	return int(float64(written) / time.Since(begin).Seconds())
}

// about tells whether a rate is as expected, within a tenth.
func about(rate, want int) bool { return rate > want*9/10 && rate < want*11/10 }

// What a server complains of is halved at once, once for each time, and grows again slowly until there is no other limit than that of the settings.
func TestRateLimitLowered(t *testing.T) {
	const fast = 100_000_000
	for name, c := range map[string]struct{ most, serversRate int }{
		"no limit": {0, 1_000_000}, "a limit": {100_000, fast}, "slower than its limit": {100_000, 50_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := rateLimit{most: c.most}
				before := writeFor(&l, c.serversRate, 5*time.Second)
				if limit := l.lower(time.Now()); !about(limit, before/2) {
					t.Errorf("%d bytes per second were lowered to %d", before, limit)
				}
				if limit := l.lower(time.Now()); limit != 0 {
					t.Errorf("lowered to %d by the same complaint", limit)
				}
				if rate := writeFor(&l, fast, 5*time.Second); !about(rate, before/2) {
					t.Errorf("%d bytes per second after %d", rate, before)
				}
				if limit := l.lower(time.Now()); !about(limit, before/4) {
					t.Errorf("lowered to %d by a second one", limit)
				}
				if rate := writeFor(&l, fast, time.Minute); rate < before/4 || rate > before/2 {
					t.Errorf("%d bytes per second in the next minute", rate)
				}
				if writeFor(&l, fast/10, 3*time.Minute); l.now != 0 {
					t.Errorf("still limited to %d", l.now)
				}
				if rate := writeFor(&l, fast/10, time.Second); c.most > 0 && !about(rate, c.most) || c.most == 0 && rate < 2*before {
					t.Errorf("%d bytes per second in the end", rate)
				}
			})
		})
	}
}

// However often a server complains, something goes through; who writes little isn't slowed down, nor who has paused.
func TestRateLimitLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l rateLimit
		if limit := l.lower(time.Now()); limit != 0 {
			t.Errorf("lowered to %d before anything was written", limit)
		}
		writeFor(&l, 1_000_000, 2*time.Second)
		for range 20 {
			l.lower(time.Now())
			writeFor(&l, 1_000_000, 4*time.Second)
		}
		if rate := writeFor(&l, 1_000_000, 10*time.Second); rate < leastRate*9/10 || rate > leastRate*2 {
			t.Errorf("%d bytes per second", rate)
		}
		l = rateLimit{}
		writeFor(&l, 1_000_000, 2*time.Second)
		time.Sleep(time.Minute)
		if limit := l.lower(time.Now()); limit != 0 {
			t.Errorf("lowered to %d after a pause", limit)
		}
		writeFor(&l, leastRate, 10*time.Second)
		if limit := l.lower(time.Now()); limit != 0 {
			t.Errorf("lowered to %d who writes little", limit)
		}
	})
}

// A complaint slows down what is sent to the peer by whom it came, and nobody else; other errors don't.
func TestComplaint(t *testing.T) {
	_, alice, bob := near(t, func(_ *lan, a, b *Config) { a.Direct, b.Direct = nil, nil })
	carry(t, alice, bob, 200_000, nil)
	ready := make(chan struct{})
	close(ready)
	r := &receiver{alice.endpoint, ready}
	complain := func(from, condition string) {
		e := &stanzaError{}
		if err := xml.Unmarshal([]byte("<error type='wait'><"+condition+" xmlns='"+nsStanzas+"'/></error>"), e); err != nil {
			t.Fatal(err)
		}
		r.undelivered(from, e)
	}
	for _, from := range []string{"carol@localhost/git-c", bob.endpoint.JID().Bare().String(), "localhost", ""} {
		complain(from, "resource-constraint")
	}
	complain(alice.peer.full, "service-unavailable")
	if now := alice.peer.limit.now + alice.endpoint.session.limit.now; now != 0 {
		t.Errorf("limited to %d", now)
	}
	complain(alice.peer.full, "policy-violation")
	if now := alice.peer.limit.now; now < leastRate || now > 200_000 {
		t.Errorf("limited to %d", now)
	}
	if now := alice.endpoint.session.limit.now; now != 0 {
		t.Errorf("others are limited to %d", now)
	}
	carry(t, alice, bob, 10_000, nil)
}

// A transfer through a server keeps to the limit.
func TestInbandLimit(t *testing.T) {
	const limit, size = 200_000, 200_000
	_, alice, bob := near(t, func(_ *lan, a, b *Config) {
		a.Direct, b.Direct = nil, nil
		a.InbandLimit = limit
	})
	_, took := carry(t, alice, bob, size, nil)
	if least := time.Second * size / limit * 5 / 4; took < least { // base64 makes 4 of 3
		t.Errorf("%d bytes took %v, at least %v were expected", size, took, least)
	}
}
