package peers

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/internal/statefile"
)

// numbered is the UUID of a repository of many.
func numbered(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func TestClaimUUID(t *testing.T) {
	s := testStore(t)
	one, two := add(t, s, 1, bob), add(t, s, 2, bob)
	for range 2 {
		must(t, s.ClaimUUID(t.Context(), one, repo1, Write))
	}
	must(t, s.ClaimUUID(t.Context(), one, repo2, Write))
	if p, err := s.ByKey(one); err != nil || !slices.Equal(p.UUIDs, []string{repo1, repo2}) {
		t.Errorf("%v, %v", p.UUIDs, err)
	}
	for name, tt := range map[string]struct {
		key  Key
		id   string
		want error
	}{
		"another key":             {two, repo1, ErrUUIDBound},
		"another key, upper case": {two, strings.ToUpper(repo1), ErrUUIDBound},
		"stranger":                {testKey(3), repo1, ErrUnknownPeer},
		"no UUID":                 {two, "proj", ErrBadUUID},
	} {
		for _, access := range []Access{Read, Write} {
			if err := s.ClaimUUID(t.Context(), tt.key, tt.id, access); !errors.Is(err, tt.want) {
				t.Errorf("%s, %s: %v", name, access, err)
			}
		}
	}
	must(t, s.Remove(t.Context(), one))
	must(t, s.ClaimUUID(t.Context(), two, repo1, Write))
}

// Who only reads can't take the UUID of somebody else's repository before that comes, nor fill the file with UUIDs.
func TestReaderTakesNoUUID(t *testing.T) {
	s := testStore(t)
	squatter, owner := invited(t, s, 1, alice, repo2, Read), invited(t, s, 2, bob, repo2, Write)
	before, err := os.ReadFile(s.peers.Path)
	must(t, err)
	must(t, s.ClaimUUID(t.Context(), squatter, repo1, Read))
	if after, err := os.ReadFile(s.peers.Path); err != nil || string(after) != string(before) {
		t.Errorf("written: %s, %v", after, err)
	}
	must(t, s.ClaimUUID(t.Context(), owner, repo1, Write))
	if err := s.ClaimUUID(t.Context(), squatter, repo1, Read); !errors.Is(err, ErrUUIDBound) {
		t.Errorf("afterwards: %v", err)
	}
	must(t, s.ClaimUUID(t.Context(), owner, repo1, Read)) // access that is gone takes nothing away
}

func TestUUIDsOfAKeyAreLimited(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	must(t, s.changePeer(t.Context(), key, func(p *Peer) error {
		for i := range maxUUIDsPerKey {
			p.UUIDs = append(p.UUIDs, numbered(i))
		}
		return nil
	}))
	if err := s.ClaimUUID(t.Context(), key, repo1, Write); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
	must(t, s.ClaimUUID(t.Context(), key, numbered(0), Write))
}

// bytesOfUUID is what a UUID takes on disk.
const bytesOfUUID = 45

// Whatever peers do, there is room for what the owner decides; and no peer that does as others do loses what it has.
func TestPeersLeaveRoom(t *testing.T) {
	s := testStore(t)
	honest := invited(t, s, 0, bob, repo1, Write)
	must(t, s.ClaimUUID(t.Context(), honest, repo2, Write))
	must(t, s.changePeers(t.Context(), func(l *peerList) error {
		for n := range 255 { // of hostile keys, each with all that it can have
			p, err := l.add(testKey(byte(n+1)), start)
			if err != nil {
				return err
			}
			p.grant(repo1, Right{Access: Write})
			size, err := l.bytes()
			room := (maxNotedBytes-size)/bytesOfUUID - 10
			for i := range min(room, maxUUIDsPerKey) {
				p.UUIDs = append(p.UUIDs, numbered(n*maxUUIDsPerKey+i))
			}
			if err != nil || room < maxUUIDsPerKey {
				return err
			}
		}
		return errors.New("never full")
	}))
	last, err := fill(t, s)
	if !errors.Is(err, ErrTooMany) {
		t.Fatalf("never full: %v", err)
	}
	must(t, s.ClaimUUID(t.Context(), honest, repo2, Write))
	if err := s.Seen(t.Context(), honest, strings.Repeat("x", 1000)+"@example.org"); !errors.Is(err, ErrTooMany) {
		t.Errorf("seen elsewhere: %v", err)
	}
	limit(t, s, honest, repo1, features)
	invited(t, s, 254, alice, repo2, Read)
	must(t, s.Remove(t.Context(), last))
	must(t, s.ClaimUUID(t.Context(), honest, repo1, Write))
}

// fill has the newest peer take UUIDs until that fails, and returns it.
func fill(t *testing.T, s *Store) (Key, error) {
	t.Helper()
	list, err := s.List()
	must(t, err)
	last := list[len(list)-1]
	for i := range maxUUIDsPerKey - len(last.UUIDs) {
		if err := s.ClaimUUID(t.Context(), last.Key, numbered(1e6+i), Write); err != nil {
			return last.Key, err
		}
	}
	return last.Key, nil
}

// The addresses of one key don't fill the file either.
func TestLongAddressesAreBounded(t *testing.T) {
	s := testStore(t)
	key := add(t, s, 1, bob)
	long := func(n int) string { return fmt.Sprintf("%s%d@example.org", strings.Repeat("x", 1000), n) }
	for n := range maxSeenAddresses {
		must(t, s.Seen(t.Context(), key, long(n)))
	}
	p, err := s.ByKey(key)
	must(t, err)
	if want := []string{bob, long(12), long(13), long(14), long(15)}; !slices.Equal(p.Addresses, want) {
		t.Errorf("%d addresses, want the pinned one and the 4 newest", len(p.Addresses))
	}
	vouchee := Vouched{Key: testKey(2), Resource: deskID}
	must(t, s.Vouch(t.Context(), key, long(0), []Vouched{vouchee}))
	if _, err := s.ByKey(vouchee.Key); !errors.Is(err, ErrUnknownPeer) {
		t.Errorf("vouched for at a long address: %v", err)
	}
}

// What limits a right is nothing that an older program may pass over: it refuses the file.
func TestVersionsOfFiles(t *testing.T) {
	s := testStore(t)
	key := invited(t, s, 1, bob, repo1, Write)
	for path, name := range map[string]string{s.peers.Path: "peers", s.invites.Path: "invites"} {
		text, err := os.ReadFile(path)
		must(t, err)
		if !strings.HasPrefix(string(text), "{\n \"version\": 2,") {
			t.Errorf("%s: %.40s", name, text)
		}
		write(t, path, strings.Replace(string(text), `"version": 2`, `"version": 1`, 1), 0o600)
	}
	must(t, s.Check())
	limit(t, s, key, repo1, features)
	older := statefile.Document[peerList]{Path: s.peers.Path}
	if _, err := older.Read(); !errors.Is(err, statefile.ErrNewer) {
		t.Errorf("an older program: %v", err)
	}
}
