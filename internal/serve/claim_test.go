package serve_test

import (
	"fmt"
	"testing"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
)

// begins asks for a service and expects it to begin; it ends at once.
func (g *guest) begins(open *protocol.Open) {
	g.t.Helper()
	s, r := g.open(open)
	m, err := r.Next()
	for err == nil && m.Type() == protocol.TypeQueued { // one before it hasn't ended yet
		m, err = r.Next()
	}
	if err != nil || m.Type() != protocol.TypeAccept {
		g.t.Fatalf("%+v is answered with %+v, %v", open, m, err)
	}
	s.CancelWrite(0)
	s.CancelRead(0)
}

// Who only reads can name the UUID of somebody else's repository, but doesn't take it: that one pushes as ever.
func TestReaderTakesNoUUID(t *testing.T) {
	w := newWorld(t, deadline, "proj", "other")
	w.keepsInStep()
	reader := w.guest("alice", map[string]peers.Access{"other": peers.Read}).serving(resource)
	writer := w.guest("carol", writeProj).hello()
	fetch := &protocol.Open{Service: protocol.UploadPack, Repository: "other", Client: clientA}
	push := &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: clientA}
	reader.begins(fetch)
	if m := reader.ask(&protocol.Announce{From: clientA, Repository: "other"}); m.Type() != protocol.TypeAnnounced {
		t.Errorf("announced: %+v", m)
	}
	if m := reader.ask(&protocol.PushRequest{From: clientA, To: w.repos["other"].UUID}); m.Type() != protocol.TypeNothingNeeded {
		t.Errorf("asked: %+v", m)
	}
	writer.begins(push)
	reader.refused(fetch, protocol.CodeUUIDBound)
	writer.begins(push)
}

// A copy of the served repository, with its UUID, is told so; and a peer that has used up its share of UUIDs is, too.
func TestClaimsThatAreRefused(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	g := w.guest("alice", writeProj).hello()
	copied := &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: w.repos["proj"].UUID}
	if got := g.refused(copied, protocol.CodeUUIDBound).Text; got != "the xmpp.uuid of your repository is that of the one served there: it was copied; git config --unset xmpp.uuid makes a new one" {
		t.Errorf("told %q", got)
	}
	for n := range 256 {
		if err := w.store.ClaimUUID(t.Context(), g.key(), fmt.Sprintf("00000000-0000-4000-8000-%012d", n), peers.Write); err != nil {
			t.Fatal(err)
		}
	}
	push := &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: clientA}
	if got := g.refused(push, protocol.CodeRefused).Text; got != "too many repositories have pushed there: ask there to remove peers that aren't needed" {
		t.Errorf("told %q", got)
	}
	push.Client = "00000000-0000-4000-8000-000000000000"
	g.begins(push)
}
