package vouch_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/vouch"
	"git-remote-xmpp/protocol"
)

const (
	bob   = "bob@example.org"
	alice = "alice@example.org"
	proj  = "11111111-1111-4111-8111-111111111111"
	clone = "22222222-2222-4222-8222-222222222222"
)

var laptop, desktop, guest = peers.Key{1}, peers.Key{2}, peers.Key{3}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// home is what the laptop or the desktop knows of the other.
func home(t *testing.T, self, other peers.Key, ours, theirs string) vouch.Side {
	t.Helper()
	s := peers.Open(t.TempDir())
	s.Self = self
	must(t, s.Pin(t.Context(), other, bob, peers.ResourceName([8]byte{other[0]}), "other"))
	must(t, s.SetAccess(t.Context(), other, []string{ours}, peers.Write))
	must(t, s.NoteCame(t.Context(), other, bob, theirs, ours))
	must(t, s.NoteWent(t.Context(), other, bob, theirs, ours))
	return vouch.Side{Store: s, Account: bob, Key: other, Address: bob}
}

// invite lets a guest in at a bare JID.
func invite(t *testing.T, s *peers.Store, key peers.Key, address, label string) {
	t.Helper()
	secret, err := s.NewInvite(t.Context(), peers.InviteRequest{RepoUUID: proj, Access: peers.Write, Label: label, Expires: time.Hour})
	must(t, err)
	_, err = s.Redeem(t.Context(), secret, key, address, "", time.Now())
	must(t, err)
}

// tell has one side greet and the other heed it; it returns how many frames came after the hello.
func tell(t *testing.T, from, to vouch.Side) int {
	t.Helper()
	var wire bytes.Buffer
	must(t, from.Greet(&wire, &protocol.Hello{Major: protocol.Major}))
	r := protocol.NewReader(&wire)
	m, err := r.Next()
	must(t, err)
	hello := m.(*protocol.Hello)
	said, err := vouch.Read(hello, r)
	must(t, err)
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after what was announced: %v", err)
	}
	must(t, to.Heed(t.Context(), said))
	return int(hello.Shares)
}

// What one side says arrives in the other's store: also a label that can't be said as it is, without it.
func TestTold(t *testing.T) {
	l, d := home(t, laptop, desktop, proj, clone), home(t, desktop, laptop, clone, proj)
	invite(t, l.Store, guest, alice, "a\u200db") // not graphic: a joiner
	must(t, l.Store.Pin(t.Context(), peers.Key{4}, bob, peers.ResourceName([8]byte{4}), "tower\u200d"))
	if n := tell(t, l, d); n != 1 {
		t.Errorf("%d frames, want 1", n)
	}
	p, err := d.Store.ByKey(guest)
	must(t, err)
	if p.Label != "" || p.Access[clone] != peers.Write || p.Addresses[0] != alice || p.VouchedBy[0] != laptop {
		t.Errorf("%+v", p)
	}
	if p, err := d.Store.ByKey(peers.Key{4}); err != nil || !p.Pinned || p.Access[clone] != peers.Write {
		t.Errorf("the third machine: %+v, %v", p, err)
	}
	must(t, l.Store.Remove(t.Context(), guest))
	if n := tell(t, l, d); n != 0 {
		t.Errorf("%d frames, want none", n)
	}
	if _, err := d.Store.ByKey(guest); err == nil {
		t.Error("still known")
	}
}

// However much there is to share, it goes into the frames that there may be; what is too long for one is left out.
func TestManyAreTold(t *testing.T) {
	for name, address := range map[string]string{"short": alice, "long": strings.Repeat("a", 240) + "@example.org"} {
		t.Run(name, func(t *testing.T) {
			l, d := home(t, laptop, desktop, proj, clone), home(t, desktop, laptop, clone, proj)
			invite(t, l.Store, peers.Key{9}, strings.Repeat("a", 300)+"@example.org", "")
			for i := range byte(100) {
				invite(t, l.Store, peers.Key{10, i + 1}, address, strings.Repeat("ä", 50))
			}
			frames := tell(t, l, d)
			list, err := d.Store.List()
			must(t, err)
			told := len(list) - 1 // and the laptop
			if name == "short" && (frames != 2 || told != 100) || frames > protocol.MaxShareFrames || told < 90 {
				t.Errorf("%d frames told of %d", frames, told)
			}
			if _, err := d.Store.ByKey(peers.Key{9}); err == nil {
				t.Error("told of an address that is too long")
			}
		})
	}
}

// What doesn't come as it was announced is an error, and nothing of it is to be heeded.
func TestCutOff(t *testing.T) {
	share := &protocol.Share{Entries: []protocol.Shared{{Repository: clone, Key: guest[:], Address: alice, Access: protocol.MayRead}}}
	for name, messages := range map[string][]protocol.Message{"end": {share}, "other": {share, &protocol.Queued{}}} {
		var wire bytes.Buffer
		for _, m := range messages {
			must(t, protocol.Write(&wire, m))
		}
		if said, err := vouch.Read(&protocol.Hello{Shares: 2}, protocol.NewReader(&wire)); err == nil || fmt.Sprintf("%+v", said) != fmt.Sprintf("%+v", vouch.Said{}) {
			t.Errorf("%s: %+v, %v", name, said, err)
		}
	}
}
