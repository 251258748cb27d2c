package serve_test

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
)

const clientB = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0002"

// An offer is answered at once, also while every place is taken and a push of the same client hangs; nothing is asked for that is
// there already, or of one who may not push.
func TestOffers(t *testing.T) {
	w := newWorld(t, deadline, "proj", "other")
	proj, other := w.repos["proj"].UUID, w.repos["other"].UUID
	alice := w.guest("alice", map[string]peers.Access{"proj": peers.Write, "other": peers.Read}).hello()
	carol := w.guest("carol", map[string]peers.Access{"proj": peers.Write}).hello()
	dir := w.repos["proj"].Repo.Dir
	tree := git(t, dir, "mktree")
	have := git(t, dir, "-c", "user.name=x", "-c", "user.email=x", "commit-tree", "-m", "have", tree)
	git(t, dir, "update-ref", "refs/heads/main", have)
	known, err := hex.DecodeString(have)
	if err != nil {
		t.Fatal(err)
	}
	unknown := bytes.Repeat([]byte{1}, 20)

	w.hang("proj")
	alice.push()
	for range 5 { // wait behind it
		alice.open(&protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: clientA})
	}
	for name, c := range map[string]struct {
		from  *guest
		offer protocol.CanPush
		want  bool
	}{
		"new":                     {alice, protocol.CanPush{From: clientA, To: proj, Tips: [][]byte{known, unknown}}, true},
		"known":                   {alice, protocol.CanPush{From: clientA, To: proj, Tips: [][]byte{known}}, false},
		"nothing":                 {alice, protocol.CanPush{From: clientA, To: proj}, false},
		"read only":               {alice, protocol.CanPush{From: clientA, To: other, Tips: [][]byte{unknown}}, false},
		"no access":               {carol, protocol.CanPush{From: clientB, To: other, Tips: [][]byte{unknown}}, false},
		"no such repository":      {alice, protocol.CanPush{From: clientA, To: clientB, Tips: [][]byte{unknown}}, false},
		"another's client":        {carol, protocol.CanPush{From: clientA, To: proj, Tips: [][]byte{unknown}}, false},
		"a message without sense": {alice, protocol.CanPush{From: clientA, To: proj, Tips: [][]byte{unknown}}, true},
	} {
		if name == "a message without sense" {
			if err := protocol.Write(alice.control, &protocol.NothingNeeded{From: clientA, To: proj}); err != nil {
				t.Fatal(err)
			}
		}
		if err := protocol.Write(c.from.control, &c.offer); err != nil {
			t.Fatal(err)
		}
		got, err := c.from.replies.Next()
		var want protocol.Message = &protocol.NothingNeeded{From: c.offer.To, To: c.offer.From}
		if c.want {
			want = &protocol.PushRequest{From: c.offer.To, To: c.offer.From}
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
}
