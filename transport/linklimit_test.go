package transport

import (
	"context"
	"crypto/ed25519"
	"testing"
)

// No key's connections keep direct paths from all others, and there are only so many in all.
func TestLinkLimit(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	l := newLinkLimit()
	a, b, c := ed25519.PublicKey("a"), ed25519.PublicKey("b"), ed25519.PublicKey("c")
	take := func(key ed25519.PublicKey, want bool) func() {
		t.Helper()
		ctx := t.Context()
		if !want {
			ctx = ended
		}
		release, err := l.take(ctx, key)
		if (err == nil) != want {
			t.Fatalf("%s: %v", key, err)
		}
		return release
	}
	var release func()
	for range maxDirectPerKey {
		release = take(a, true)
	}
	take(a, false)
	for range maxDirectLinks - maxDirectPerKey {
		take(b, true)
	}
	take(c, false)
	release()
	take(c, true)
	take(a, false)
}
