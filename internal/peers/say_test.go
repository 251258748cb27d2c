package peers

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

const (
	clone1 = "aaaaaaaa-1111-4111-8111-111111111111"
	clone2 = "aaaaaaaa-2222-4222-8222-222222222222"
)

// Vouched for are the account's other machines, to peers who may know.
func TestToVouch(t *testing.T) {
	s := testStore(t)
	must(t, s.Pin(t.Context(), testKey(1), bob, laptopID, "laptop"))
	must(t, s.Pin(t.Context(), testKey(2), bob, deskID, "desktop"))
	must(t, s.SetAccess(t.Context(), testKey(2), []string{repo1}, Write))
	must(t, s.Pin(t.Context(), testKey(3), carol, "git-0000000000000003", "")) // somebody else
	vouch(t, s, testKey(1), bob, Vouched{Key: testKey(4), Resource: "git-0000000000000004"})
	add(t, s, 5, bob) // its resource isn't known
	reader := invited(t, s, 6, alice, repo1, Read)
	shutOut := invited(t, s, 7, alice, repo1, Read)
	must(t, s.SetAccess(t.Context(), shutOut, []string{repo1}, None))

	laptop, desktop := Vouched{Key: testKey(1), Resource: laptopID, Label: "laptop"}, Vouched{Key: testKey(2), Resource: deskID, Label: "desktop"}
	says := func(to Key, want ...Vouched) {
		t.Helper()
		got, err := s.ToVouch(bob, to)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.15s is told %+v, %v; want %+v", to, got, err, want)
		}
	}
	says(reader, laptop, desktop)
	says(testKey(3), laptop, desktop)
	says(testKey(4), laptop, desktop)
	says(testKey(1), desktop)
	says(shutOut)
	says(testKey(8))
	must(t, s.SetAccess(t.Context(), testKey(2), []string{repo1}, None)) // a machine that was lost
	says(reader, laptop)
	for i := range byte(20) {
		must(t, s.Pin(t.Context(), testKey(20+i), bob, deskID, ""))
	}
	if got, err := s.ToVouch(bob, reader); err != nil || len(got) != maxVouchedPerKey {
		t.Errorf("told of %d, %v", len(got), err)
	}
}

// machine makes a peer another machine of the account's, which has a clone of repo1.
func machine(t *testing.T, s *Store) Key {
	t.Helper()
	desktop := add(t, s, 1, bob)
	must(t, s.SetAccess(t.Context(), desktop, []string{repo1, repo2}, Read))
	must(t, s.NoteCame(t.Context(), desktop, bob, clone1, repo1))
	must(t, s.NoteWent(t.Context(), desktop, bob, clone1, repo1))
	return desktop
}

// Shared is who may use a repository, with the machine that has a clone of it.
func TestToShare(t *testing.T) {
	s := testStore(t)
	desktop := machine(t, s)
	writer, reader := invited(t, s, 2, alice, repo1, Write), invited(t, s, 3, carol, repo1, Read)
	must(t, s.Seen(t.Context(), reader, "carol@example.net"))
	invited(t, s, 4, alice, repo2, Write)
	vouch(t, s, writer, alice, vouchee(5))
	must(t, s.Pin(t.Context(), testKey(6), bob, laptopID, "")) // one more machine, which is vouched for instead
	must(t, s.SetAccess(t.Context(), testKey(6), []string{repo1}, Write))
	must(t, s.Pin(t.Context(), writer, alice, laptopID, "Alice"))

	one := Vouched{Key: writer, Address: alice, Pinned: true, Resource: laptopID, Label: "Alice", Repository: clone1, Access: Write}
	where := one // to find her
	where.Repository, where.Access = "", None
	two := Vouched{Key: reader, Address: "carol@example.net", Repository: clone1, Access: Read}
	says := func(to Key, want ...Vouched) {
		t.Helper()
		got, err := s.ToShare(bob, to)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.15s is told %+v, %v; want %+v", to, got, err, want)
		}
	}
	says(desktop, one, two)
	says(writer)
	says(testKey(5))
	says(testKey(9))
	if got, err := s.ToShare(alice, desktop); err != nil || len(got) != 0 {
		t.Errorf("from another account: %+v, %v", got, err)
	}
	must(t, s.NoteWent(t.Context(), desktop, bob, clone1, repo2)) // ours fetched from it: nothing of repo2 need be there
	says(desktop, one, two)
	must(t, s.NoteCame(t.Context(), desktop, bob, clone2, repo2)) // it is only a remote there
	says(desktop, one, two)
	must(t, s.NoteCame(t.Context(), desktop, bob, clone1, repo2)) // there is something of repo2 in the clone
	says(desktop, where)
	must(t, s.SetAccess(t.Context(), writer, []string{repo2}, Read))
	one.Access = Read
	says(desktop, one)
	must(t, s.SetAccess(t.Context(), desktop, []string{repo2}, None))
	says(desktop, where)
	must(t, s.SetAccess(t.Context(), desktop, []string{repo1}, None))
	says(desktop)
}

func TestSharedIsLimited(t *testing.T) {
	s := testStore(t)
	desktop := machine(t, s)
	must(t, s.changePeers(t.Context(), func(l *peerList) error {
		for i := range maxSharedPerKey + 10 {
			l.Peers = append(l.Peers, Peer{Key: Key{3, byte(i), byte(i >> 8)}, Addresses: []string{alice}, Grants: map[string]Access{repo1: Read}})
		}
		return nil
	}))
	said, err := s.ToShare(bob, desktop)
	if err != nil || len(said) != maxSharedPerKey {
		t.Errorf("told of %d, %v", len(said), err)
	}
	if err := s.Share(t.Context(), desktop, bob, make([]Vouched, maxSharedPerKey+1)); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}

// A peer that another machine of ours knows may do the less of what is said and of what that machine may.
func TestShared(t *testing.T) {
	s := testStore(t)
	laptop := machine(t, s) // reads repo1
	must(t, s.SetAccess(t.Context(), laptop, []string{repo2}, Write))
	guest := Vouched{Key: testKey(2), Address: alice, Resource: deskID, Label: "Alice", Repository: repo1, Access: Write}
	share := func(list ...Vouched) {
		t.Helper()
		must(t, s.Share(t.Context(), laptop, bob, list))
	}
	other := guest
	other.Repository, other.Access = repo2, Read
	share(guest, other)
	allowed(t, s, guest.Key, repo1, Read)
	allowed(t, s, guest.Key, repo2, Read)
	p := peer(t, s, guest.Key)
	if p.Pinned || !reflect.DeepEqual(p.Addresses, []string{alice}) || p.Label != "Alice" || !reflect.DeepEqual(p.VouchedBy, []Key{laptop}) {
		t.Errorf("%+v", p)
	}
	if pinned, err := s.Pinned(alice); err != nil || len(pinned) != 0 {
		t.Errorf("pinned: %+v, %v", pinned, err)
	}
	vouch(t, s, guest.Key, alice, vouchee(7)) // goes no further
	unknown(t, s, testKey(7))
	if said, err := s.ToVouch(alice, laptop); err != nil || len(said) != 0 {
		t.Errorf("vouched for: %+v, %v", said, err)
	}
	share(other)
	allowed(t, s, guest.Key, repo1, None)
	allowed(t, s, guest.Key, repo2, Read)
	other.Pinned = true
	share(other)
	if pinned, err := s.Pinned(alice); err != nil || len(pinned) != 1 || pinned[0].Key != guest.Key || pinned[0].Resource != deskID {
		t.Errorf("pinned: %+v, %v", pinned, err)
	}

	// To a key that is known otherwise it adds what that has no grant for.
	known := invited(t, s, 3, carol, repo1, Read)
	must(t, s.SetAccess(t.Context(), known, []string{repo1}, None))
	guest.Key, other.Key = known, known
	share(other, guest)
	allowed(t, s, known, repo1, None)
	allowed(t, s, known, repo2, Read)
	if pinned, err := s.Pinned(alice); err != nil || len(pinned) != 1 || pinned[0].Key != known {
		t.Errorf("pinned: %+v, %v", pinned, err)
	}
	unknown(t, s, testKey(2))
	must(t, s.SetAccess(t.Context(), laptop, []string{repo1, repo2}, None))
	if pinned, err := s.Pinned(alice); err != nil || len(pinned) != 0 {
		t.Errorf("pinned by a machine that is shut out: %+v, %v", pinned, err)
	}
	must(t, s.Remove(t.Context(), laptop))
	allowed(t, s, known, repo2, None)
	must(t, s.Check())
}

// Clones are noted of the account's other machines, once for each direction, and not without end.
func TestNoteClone(t *testing.T) {
	s := testStore(t)
	desktop := machine(t, s)
	want := []Clone{{Client: clone1, Repository: repo1, Came: true, Went: true}}
	if p := peer(t, s, desktop); !reflect.DeepEqual(p.Clones, want) {
		t.Errorf("%+v", p.Clones)
	}
	guest := invited(t, s, 2, alice, repo1, Write)
	must(t, s.NoteCame(t.Context(), guest, bob, clone2, repo1))
	if p := peer(t, s, guest); len(p.Clones) != 0 {
		t.Errorf("noted of a guest: %+v", p.Clones)
	}
	for i := range maxClonesPerKey - 1 {
		must(t, s.NoteCame(t.Context(), desktop, bob, fmt.Sprintf("00000000-0000-4000-8000-%012d", i), repo1))
	}
	if err := s.NoteCame(t.Context(), desktop, bob, clone2, repo1); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	must(t, s.NoteCame(t.Context(), desktop, bob, clone1, repo1))
	if err := s.NoteCame(t.Context(), desktop, bob, "proj", repo1); !errors.Is(err, ErrBadUUID) {
		t.Error(err)
	}
}
