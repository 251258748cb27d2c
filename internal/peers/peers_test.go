package peers

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func TestPin(t *testing.T) {
	s := testStore(t)
	at(s, start)
	key := testKey(1)
	must(t, s.Pin(t.Context(), key, bob, "git-0123456789abcdef", "Bob"))
	must(t, s.Pin(t.Context(), key, alice, "", ""))
	p, err := s.ByKey(key)
	must(t, err)
	want := []string{bob, alice}
	if !p.Pinned || !slices.Equal(p.Addresses, want) || !slices.Equal(p.PinnedAddresses, want) ||
		p.Resource != "git-0123456789abcdef" || p.Label != "Bob" || !p.Added.Equal(start) || len(p.Grants) != 0 {
		t.Errorf("%+v", p)
	}
	for name, err := range map[string]error{
		"resource": s.Pin(t.Context(), key, bob, "home", ""),
		"label":    s.Pin(t.Context(), key, bob, "", "a\nb"),
		"no user":  s.Pin(t.Context(), key, "example.org", "", ""),
		"full JID": s.Pin(t.Context(), key, "bob@example.org/x", "", ""),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPinnedIsOrderedByLastSeen(t *testing.T) {
	s := testStore(t)
	for i := range byte(3) {
		at(s, start.Add(time.Duration(i)*time.Minute))
		add(t, s, i, bob)
	}
	at(s, start.Add(time.Hour))
	must(t, s.Seen(t.Context(), testKey(0), bob))
	found, err := s.Pinned(bob)
	must(t, err)
	var order []Key
	for _, p := range found {
		order = append(order, p.Key)
	}
	if want := []Key{testKey(0), testKey(2), testKey(1)}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

// TestSeenIsNotPinned: a peer that turns up at somebody's address (its server
// can have it so) must not become the one whose key we expect there.
func TestSeenIsNotPinned(t *testing.T) {
	s := testStore(t)
	mallory := add(t, s, 1, "mallory@example.net")
	must(t, s.Seen(t.Context(), mallory, bob))
	if found, err := s.Pinned(bob); err != nil || len(found) != 0 {
		t.Errorf("pinned: %v, %v", found, err)
	}
	if found, err := s.ByAddress(bob); err != nil || len(found) != 1 || found[0].Key != mallory {
		t.Errorf("by address: %v, %v", found, err)
	}
}

func TestSeenWritesSeldom(t *testing.T) {
	s := testStore(t)
	at(s, start)
	key := add(t, s, 1, bob)
	stat := func() os.FileInfo {
		info, err := os.Stat(s.peers.Path)
		must(t, err)
		return info
	}
	before := stat()
	at(s, start.Add(seenInterval-time.Second))
	must(t, s.Seen(t.Context(), key, bob))
	if !sameFile(before, stat()) {
		t.Error("written at once")
	}
	at(s, start.Add(seenInterval))
	must(t, s.Seen(t.Context(), key, bob))
	if p, err := s.ByKey(key); err != nil || !p.LastSeen.Equal(start.Add(seenInterval)) {
		t.Errorf("%v, %v", p.LastSeen, err)
	}
	must(t, s.Seen(t.Context(), key, alice))
	if p, err := s.ByKey(key); err != nil || !slices.Contains(p.Addresses, alice) {
		t.Errorf("new address: %v, %v", p.Addresses, err)
	}
	if err := s.Seen(t.Context(), testKey(9), bob); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("stranger: %v", err)
	}
}

func TestAddressesAreLimitedAndPinnedOnesStay(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	for i := range 2 * maxSeenAddresses {
		must(t, s.Seen(t.Context(), key, fmt.Sprintf("x%d@example.org", i)))
	}
	p, err := s.ByKey(key)
	must(t, err)
	if len(p.Addresses) != maxSeenAddresses+1 || p.Addresses[0] != bob || p.Addresses[maxSeenAddresses] != "x31@example.org" {
		t.Errorf("%v", p.Addresses)
	}
}

func TestAccess(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), key, []string{repo1, strings.ToUpper(repo2)}, Write))
	must(t, s.SetAccess(t.Context(), key, []string{repo2}, Read))
	for id, want := range map[string]Access{repo1: Write, strings.ToUpper(repo1): Write, repo2: Read, "": None, "x": None} {
		if got := s.Access(key, id); got != want {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
	if s.Access(testKey(2), repo1) != None {
		t.Error("a stranger has access")
	}
	if err := s.SetAccess(t.Context(), testKey(2), []string{repo1}, Read); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("stranger: %v", err)
	}
	if err := s.SetAccess(t.Context(), key, []string{"x"}, Read); !errors.Is(err, ErrBadUUID) {
		t.Errorf("UUID: %v", err)
	}
	if err := s.SetAccess(t.Context(), key, []string{repo1}, Write+1); !errors.Is(err, ErrBadAccess) {
		t.Errorf("access: %v", err)
	}
	must(t, s.Remove(t.Context(), key))
	if s.Access(key, repo1) != None {
		t.Error("a removed peer has access")
	}
	if err := s.Remove(t.Context(), key); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestAccessText(t *testing.T) {
	for _, a := range []Access{None, Read, Write} {
		if back, err := ParseAccess(a.String()); err != nil || back != a {
			t.Errorf("%v: %v, %v", a, back, err)
		}
	}
	if _, err := ParseAccess("admin"); !errors.Is(err, ErrBadAccess) {
		t.Errorf("admin: %v", err)
	}
	if _, err := Access(7).MarshalText(); !errors.Is(err, ErrBadAccess) {
		t.Errorf("7: %v", err)
	}
}

func TestFind(t *testing.T) {
	s := testStore(t)
	must(t, s.changePeers(t.Context(), func(l *peerList) error {
		for i := range maxPeers { // enough for two that begin alike
			if _, err := l.add(Key{byte(i), byte(i >> 8)}, start); err != nil {
				return err
			}
		}
		return nil
	}))
	if err := s.Pin(t.Context(), testKey(1), bob, "", ""); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more peer: %v", err)
	}
	key := Key{7}
	fingerprint := key.String()
	for _, prefix := range []string{fingerprint, strings.TrimPrefix(fingerprint, "SHA256:"), fingerprint[:20]} {
		if p, err := s.Find(prefix); err != nil || p.Key != key {
			t.Errorf("%s: %v, %v", prefix, p.Key, err)
		}
	}
	for prefix, want := range map[string]error{
		"": ErrUnknownPeer, "SHA256:": ErrUnknownPeer, "S": ErrUnknownPeer, "SHA2": ErrUnknownPeer,
		strings.Repeat("x", 43): ErrUnknownPeer, fingerprint + "x": ErrUnknownPeer,
	} {
		if _, err := s.Find(prefix); !errors.Is(err, want) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestFindAmbiguous(t *testing.T) {
	s := testStore(t)
	first := map[string]Key{} // by the first four characters
	for i := 0; ; i++ {
		key := Key{byte(i), byte(i >> 8), byte(i >> 16)}
		prefix := strings.TrimPrefix(key.String(), fingerprintPrefix)[:minPrefixRunes]
		other, ok := first[prefix]
		first[prefix] = key
		if !ok {
			continue
		}
		must(t, s.Pin(t.Context(), key, bob, "", ""))
		if p, err := s.Find(prefix); err != nil || p.Key != key {
			t.Errorf("one: %v, %v", p.Key, err)
		}
		must(t, s.Pin(t.Context(), other, bob, "", ""))
		if _, err := s.Find(prefix); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("two: %v", err)
		}
		return
	}
}

func TestLabels(t *testing.T) {
	for label, ok := range map[string]bool{
		"": true, "Bob's laptop": true, strings.Repeat("ü", 64): true,
		strings.Repeat("x", 65): false, "a\nb": false, "a\x1b[31m": false, "a\u0085": false, "\xff": false,
		"a\u202etxt": false, "a\u2028b": false,
	} {
		if err := checkLabel(label); (err == nil) != ok {
			t.Errorf("%q: %v", label, err)
		}
	}
}
