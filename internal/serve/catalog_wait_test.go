package serve_test

import (
	"testing"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
)

// A push that waits behind another may do what its key may do when its turn comes.
func TestRevokedWhileWaiting(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	pids := w.hang("proj")
	g := w.guest("alice", writeProj).hello()
	first, _ := g.push()
	pids()
	_, r := g.open(&protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: clientA})
	if m, err := r.Next(); err != nil || m.Type() != protocol.TypeQueued {
		t.Fatalf("%+v, %v", m, err)
	}
	list, err := w.store.List()
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if err := w.store.SetAccess(t.Context(), list[0].Key, []string{w.repos["proj"].UUID}, peers.Read); err != nil {
		t.Fatal(err)
	}
	first.CancelWrite(16)
	first.CancelRead(16)
	m, err := r.Next()
	for err == nil && m.Type() == protocol.TypeQueued {
		m, err = r.Next()
	}
	if refusal, ok := m.(*protocol.Refuse); err != nil || !ok || refusal.Code != protocol.CodeReadOnly {
		t.Errorf("%+v, %v", m, err)
	}
}
