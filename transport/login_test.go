package transport_test

import (
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// loginTurns is how often a login waits for the server and goes on: for STARTTLS, TLS, the mechanisms, SCRAM twice. The last answer is the resource's.
const loginTurns = 5

// A login waits for the server no more often than it must: every time is a round trip.
func TestLoginTurns(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newProxy(t, s.Addr)
		cfg := configFor(t, s, "alice", "git-a")
		cfg.Server = p.Addr().String()
		start(t, cfg)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.turns != loginTurns && p.turns != loginTurns+1 { // with one more if the server says something of TLS's between two writes of ours
			t.Errorf("%d turns, want %d", p.turns, loginTurns)
		}
	})
}
