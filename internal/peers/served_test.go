package peers

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// Of several peers at an address, the one that served last goes first.
func TestServed(t *testing.T) {
	s := testStore(t)
	now := start
	at(s, now)
	for n := range byte(2) {
		add(t, s, n, bob)
	}
	for _, n := range []byte{1, 0, 1, 1} {
		now = now.Add(time.Millisecond)
		at(s, now)
		must(t, s.Served(t.Context(), testKey(n), bob, repo1))
		found, err := s.Pinned(bob)
		must(t, err)
		if found[0].Key != testKey(n) || !slices.Equal(found[0].Serves, []string{repo1}) {
			t.Errorf("served by %s, first is %+v", testKey(n), found[0])
		}
	}
	before, err := s.ByKey(testKey(1))
	must(t, err)
	at(s, now.Add(time.Second))
	must(t, s.Served(t.Context(), testKey(1), bob, repo1))
	if after, err := s.ByKey(testKey(1)); err != nil || !after.LastSeen.Equal(before.LastSeen) {
		t.Errorf("written without need: %+v, %v", after, err)
	}
}

func TestServedRefuses(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	for name, c := range map[string]struct{ err, want error }{
		"stranger": {s.Served(t.Context(), testKey(2), bob, repo1), ErrUnknownPeer},
		"address":  {s.Served(t.Context(), key, "bob@example.org/x", repo1), ErrBadAddress},
		"uuid":     {s.Served(t.Context(), key, bob, "proj"), ErrBadUUID},
		"label":    {s.SetLabel(t.Context(), key, "a\nb"), ErrBadLabel},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

// A peer can't fill the file with what it says it serves.
func TestServedIsBounded(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	id := func(n int) string { return fmt.Sprintf("11111111-1111-4111-8111-%012d", n) }
	for n := range maxServedPerKey + 2 {
		must(t, s.Served(t.Context(), key, bob, id(n)))
	}
	p, err := s.ByKey(key)
	must(t, err)
	if len(p.Serves) != maxServedPerKey || p.Serves[0] != id(2) || p.Serves[maxServedPerKey-1] != id(maxServedPerKey+1) {
		t.Errorf("%d: %v", len(p.Serves), p.Serves)
	}
}
