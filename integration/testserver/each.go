package testserver

import (
	"context"
	"testing"
	"time"
)

// startLimit is how long a server may take to start for a test.
const startLimit = 60 * time.Second

// XMPP are the servers that a claim about servers is shown on.
var XMPP = []string{Prosody, Ejabberd}

// OnEach runs a test against each of [XMPP], as a subtest of the server's name.
func OnEach(t *testing.T, o Options, run func(t *testing.T, s *Server)) {
	t.Helper()
	for _, name := range XMPP {
		t.Run(name, func(t *testing.T) { run(t, New(t, name, o)) })
	}
}

// New starts a server that is stopped at the end of the test. A server that isn't installed skips the
// test, or fails it, see [Require].
func New(t testing.TB, name string, o Options) *Server {
	t.Helper()
	Require(t, name)
	if o.SASL2 {
		Require(t, ProsodyModules)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	s, err := Start(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}
