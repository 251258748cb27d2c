package serve_test

import (
	"testing"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// A push that its peer gives up ends at once, also if all of its input has come and a hook says nothing.
func TestGivenUpAfterItsInput(t *testing.T) {
	w := newWorld(t, 10*deadline, "proj")
	alice := w.guest("alice", map[string]peers.Access{"proj": peers.Write}).hello()
	hook := w.hang("proj")
	s, _ := alice.push()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	pids := hook()
	s.CancelRead(transport.StreamCode(protocol.CodeTimeout))
	w.ended(pids)
	w.await("the end of its turn", func() bool { return len(w.server.TurnsNow()) == 0 })
}
