package serve_test

import (
	"testing"
	"time"

	"git-remote-xmpp/protocol"
)

// One that gives up while it waits is forgotten at once, not when its place is told the next time.
func TestGivenUpWhileWaiting(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	pids := w.hang("proj")
	g := w.guest("alice", writeProj).hello()
	g.push()
	pids()
	s, r := g.open(&protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: clientA})
	if m, err := r.Next(); err != nil || m.Type() != protocol.TypeQueued {
		t.Fatalf("%+v, %v", m, err)
	}
	if n := len(w.server.TurnsNow()); n != 2 {
		t.Fatalf("%d entries", n)
	}
	began := time.Now()
	s.CancelRead(16)
	s.CancelWrite(16)
	w.await("the end of the entry", func() bool { return len(w.server.TurnsNow()) == 1 })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
