package transport

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// What is written keeps to the limit; a pause isn't made up for.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := rateLimit{bytesPerSecond: 10_000}
		begin := time.Now()
		for range 100 {
			if !l.wait(t.Context(), 1000, time.Now()) {
				t.Fatal("given up")
			}
		}
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("100,000 bytes took %v", took)
		}
		time.Sleep(time.Minute)
		begin = time.Now()
		l.wait(t.Context(), 1000, time.Now())
		if took := time.Since(begin); took != 100*time.Millisecond {
			t.Errorf("1,000 bytes after a pause took %v", took)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if l.wait(ended, 1_000_000, time.Now()) {
			t.Error("waited for a link that is gone")
		}
	})
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
