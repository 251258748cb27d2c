package peers

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"
)

const (
	carol    = "carol@example.org"
	laptopID = "git-0000000000000001"
	deskID   = "git-0000000000000002"
)

// invited lets a key in by an invite.
func invited(t *testing.T, s *Store, n byte, address, repo string, access Access) Key {
	t.Helper()
	secret, err := s.NewInvite(t.Context(), InviteRequest{RepoUUID: repo, Access: access, Expires: time.Hour})
	must(t, err)
	_, err = s.Redeem(t.Context(), secret, testKey(n), address, "", s.now())
	must(t, err)
	return testKey(n)
}

func vouchee(n byte) Vouched { return Vouched{Key: testKey(n), Resource: deskID, Label: "desktop"} }

func vouch(t *testing.T, s *Store, by Key, address string, list ...Vouched) {
	t.Helper()
	must(t, s.Vouch(t.Context(), by, address, list))
}

// peer returns a peer as it is seen from outside.
func peer(t *testing.T, s *Store, key Key) Peer {
	t.Helper()
	p, err := s.ByKey(key)
	must(t, err)
	return p
}

// allowed fails the test unless a key may do just this.
func allowed(t *testing.T, s *Store, key Key, repo string, want Access) {
	t.Helper()
	if got := s.Access(key, repo); got != want {
		t.Errorf("access of %.15s to %.8s: %s, want %s", key, repo, got, want)
	}
}

func unknown(t *testing.T, s *Store, key Key) {
	t.Helper()
	if p, err := s.ByKey(key); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("known: %+v, %v", p, err)
	}
}

// A machine that a peer vouches for may do what the peer may, at each time, and is expected where the peer is.
func TestVouched(t *testing.T) {
	s := testStore(t)
	laptop := invited(t, s, 1, bob, repo1, Read)
	vouch(t, s, laptop, bob, vouchee(2))
	desktop := testKey(2)
	p := peer(t, s, desktop)
	if p.Pinned || p.Resource != deskID || p.Label != "desktop" || !slices.Equal(p.VouchedBy, []Key{laptop}) || !slices.Equal(p.Addresses, []string{bob}) ||
		!maps.Equal(p.Access, map[string]Access{repo1: Read}) || len(p.Grants) != 0 || !p.LastSeen.IsZero() {
		t.Errorf("%+v", p)
	}
	allowed(t, s, desktop, repo1, Read)
	if found, err := s.ByAddress(bob); err != nil || len(found) != 2 {
		t.Errorf("at the address: %+v, %v", found, err)
	}
	must(t, s.SetAccess(t.Context(), laptop, []string{repo1, repo2}, Write))
	allowed(t, s, desktop, repo1, Write)
	allowed(t, s, desktop, repo2, Write)
	must(t, s.Pin(t.Context(), laptop, bob, laptopID, ""))
	pinned, err := s.Pinned(bob)
	if err != nil || len(pinned) != 2 || pinned[1].Key != desktop || pinned[1].Resource != deskID || !pinned[1].Pinned {
		t.Errorf("pinned: %+v, %v", pinned, err)
	}
	must(t, s.SetAccess(t.Context(), laptop, []string{repo1}, None))
	allowed(t, s, desktop, repo1, None)
	for repo, want := range map[string]Access{repo1: None, repo2: Write} { // no word is another thing than no
		if got, decided := s.Grant(desktop, repo); got != want || !decided {
			t.Errorf("grant for %.8s: %s, %v", repo, got, decided)
		}
	}
	if got, decided := s.Grant(desktop, clone1); got != None || decided {
		t.Errorf("grant for another: %s, %v", got, decided)
	}
	must(t, s.Check())
}

// Who isn't in the list any more is forgotten, unless somebody else vouches for it.
func TestNoLongerVouched(t *testing.T) {
	s := testStore(t)
	laptop, tower := invited(t, s, 1, bob, repo1, Write), invited(t, s, 3, bob, repo1, Read)
	vouch(t, s, laptop, bob, vouchee(2), vouchee(4))
	vouch(t, s, tower, bob, vouchee(2))
	allowed(t, s, testKey(2), repo1, Write)
	vouch(t, s, laptop, bob, vouchee(4))
	allowed(t, s, testKey(2), repo1, Read)
	vouch(t, s, laptop, bob)
	unknown(t, s, testKey(4))
	must(t, s.Remove(t.Context(), tower))
	unknown(t, s, testKey(2))
}

// Own grants go before what others say, and stay when they say no more.
func TestOwnGrantsOfAVouched(t *testing.T) {
	s := testStore(t)
	laptop := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), laptop, []string{repo1, repo2}, Write))
	vouch(t, s, laptop, bob, vouchee(2))
	desktop := testKey(2)
	must(t, s.SetAccess(t.Context(), desktop, []string{repo1}, None))
	must(t, s.SetLabel(t.Context(), desktop, "his"))
	vouch(t, s, laptop, bob, vouchee(2))
	allowed(t, s, desktop, repo1, None)
	allowed(t, s, desktop, repo2, Write)
	if p := peer(t, s, desktop); !p.Pinned || p.Label != "his" {
		t.Errorf("%+v", p)
	}
	must(t, s.Remove(t.Context(), laptop))
	allowed(t, s, desktop, repo2, None)
	if p := peer(t, s, desktop); p.Pinned || len(p.VouchedBy) != 0 || !maps.Equal(p.Access, map[string]Access{repo1: None}) {
		t.Errorf("without its voucher: %+v", p)
	}
}

// A removed key stays away whoever vouches for it, and comes back by an invite.
func TestRemovedIsNotVouchedBack(t *testing.T) {
	s := testStore(t)
	laptop, desktop := invited(t, s, 1, bob, repo1, Write), invited(t, s, 2, bob, repo1, Write)
	must(t, s.Remove(t.Context(), desktop))
	vouch(t, s, laptop, bob, vouchee(2), vouchee(3))
	unknown(t, s, desktop)
	must(t, s.Remove(t.Context(), testKey(3))) // is only vouched for
	vouch(t, s, laptop, bob, vouchee(2), vouchee(3))
	unknown(t, s, testKey(3))
	must(t, s.Pin(t.Context(), laptop, bob, "", ""))
	share := func() {
		must(t, s.Share(t.Context(), laptop, bob, []Vouched{{Key: desktop, Address: bob, Repository: repo1, Access: Write}}))
	}
	share()
	unknown(t, s, desktop)
	invited(t, s, 2, bob, repo2, Read)
	allowed(t, s, desktop, repo1, None)
	allowed(t, s, desktop, repo2, Read)
	share()
	allowed(t, s, desktop, repo1, Write)
	must(t, s.Remove(t.Context(), desktop))
	must(t, s.changePeers(t.Context(), func(l *peerList) error {
		for i := range maxRemoved {
			l.remove(Key{9, byte(i), byte(i >> 8)})
		}
		if len(l.Removed) != maxRemoved {
			t.Errorf("%d removed keys are kept", len(l.Removed))
		}
		return nil
	}))
}

// What a peer says changes nothing of what is known otherwise, nor of what others say.
func TestHostileVouches(t *testing.T) {
	s := testStore(t)
	s.Self = testKey(100)
	laptop := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), laptop, []string{repo1}, Write))
	vouch(t, s, laptop, bob, vouchee(2))
	reader := invited(t, s, 5, carol, repo1, Read)
	invited(t, s, 6, alice, repo2, Read)
	before, err := s.List()
	must(t, err)

	vouch(t, s, testKey(2), bob, vouchee(7)) // is itself only vouched for
	vouch(t, s, testKey(8), bob, vouchee(7)) // isn't known
	vouch(t, s, reader, carol, Vouched{Key: s.Self, Resource: deskID}, Vouched{Key: reader, Resource: deskID}, Vouched{Resource: deskID},
		Vouched{Key: laptop, Resource: deskID, Label: "x"}, Vouched{Key: testKey(6), Resource: deskID}, Vouched{Key: testKey(9), Resource: "x"}, Vouched{Key: testKey(9), Resource: deskID, Label: "a\nb"})
	must(t, s.Share(t.Context(), reader, bob, []Vouched{{Key: testKey(7), Address: bob, Repository: repo1, Access: Read}})) // no machine of ours
	if err := s.Vouch(t.Context(), reader, carol, make([]Vouched, 17)); !errors.Is(err, ErrTooMany) {
		t.Errorf("17 entries: %v", err)
	}
	if err := s.Vouch(t.Context(), reader, "carol", nil); !errors.Is(err, ErrBadAddress) {
		t.Error(err)
	}
	after, err := s.List()
	must(t, err)
	if text := fmt.Sprintf("%+v", after); text != fmt.Sprintf("%+v", before) {
		t.Errorf("is now\n%s\nwas\n%+v", text, before)
	}

	// A key that another vouches for: it may do no more, and is found where it was.
	vouch(t, s, reader, carol, Vouched{Key: testKey(2), Resource: laptopID, Label: "hers"})
	allowed(t, s, testKey(2), repo1, Write)
	pinned, err := s.Pinned(bob)
	if err != nil || len(pinned) != 2 || pinned[1].Resource != deskID || pinned[1].Label != "desktop" {
		t.Errorf("pinned: %+v, %v", pinned, err)
	}
	if pinned, err := s.Pinned(carol); err != nil || len(pinned) != 0 {
		t.Errorf("pinned at hers: %+v, %v", pinned, err)
	}
	must(t, s.SetAccess(t.Context(), reader, []string{repo1}, None))
	vouch(t, s, reader, carol, vouchee(7))
	unknown(t, s, testKey(7)) // the word of a peer that may do nothing
	if p := peer(t, s, testKey(2)); !slices.Equal(p.VouchedBy, []Key{laptop}) {
		t.Errorf("still vouched for by %v", p.VouchedBy)
	}
}

// The store doesn't grow over its limits by what peers say, and others still find room.
func TestVouchesAreLimited(t *testing.T) {
	s := testStore(t)
	n := 0
	for i := range byte(40) {
		var list []Vouched
		for range maxVouchedPerKey {
			n++
			list = append(list, Vouched{Key: Key{1, byte(n), byte(n >> 8)}, Resource: deskID})
		}
		vouch(t, s, invited(t, s, i, carol, repo1, Read), carol, list...)
	}
	list, err := s.List()
	if err != nil || len(list) != 40+maxVouches {
		t.Errorf("%d peers, want %d; %v", len(list), 40+maxVouches, err)
	}
	must(t, s.changePeers(t.Context(), func(l *peerList) error {
		for i := range maxPeers - 40 {
			if p, err := l.add(Key{5, byte(i), byte(i >> 8)}, start); err != nil {
				return err
			} else if err := p.pin(bob, start); err != nil {
				return err
			}
		}
		return nil
	}))
	vouch(t, s, testKey(0), carol)
	vouch(t, s, testKey(39), carol, Vouched{Key: Key{2}, Resource: deskID})
	peer(t, s, Key{2})

	must(t, s.changePeer(t.Context(), Key{2}, func(p *Peer) error {
		for i := range maxUUIDsPerVouched {
			p.UUIDs = append(p.UUIDs, numbered(i))
		}
		return nil
	}))
	if err := s.ClaimUUID(t.Context(), Key{2}, repo1, Write); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more repository: %v", err)
	}
}

// The same list again writes nothing.
func TestVouchWritesWhatIsNew(t *testing.T) {
	s := testStore(t)
	laptop := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), laptop, []string{repo1}, Write))
	share := []Vouched{{Key: testKey(3), Address: alice, Repository: repo1, Access: Read}}
	say := func() os.FileInfo {
		vouch(t, s, laptop, bob, vouchee(2))
		must(t, s.Share(t.Context(), laptop, bob, share))
		info, err := os.Stat(s.peers.Path)
		must(t, err)
		return info
	}
	before := say()
	if !os.SameFile(before, say()) {
		t.Error("written again")
	}
	share[0].Access = Write
	if os.SameFile(before, say()) {
		t.Error("not written")
	}
}
