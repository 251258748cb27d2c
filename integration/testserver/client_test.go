package testserver

import (
	"context"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// sendBody sends a headline of size bytes in its body.
func (c *Client) sendBody(ctx context.Context, to jid.JID, size int) error {
	return c.Encode(ctx, Message{
		Message: stanza.Message{To: to, Type: stanza.HeadlineMessage},
		Body:    strings.Repeat("x", size),
	})
}

// testContext ends before go test's own timeout would.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// startServer starts a server that is stopped at the test's end.
func startServer(ctx context.Context, t *testing.T, name string, o Options) *Server {
	t.Helper()
	Require(t, name)
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

// eachServer runs a test with Prosody and with ejabberd.
func eachServer(t *testing.T, test func(t *testing.T, name string)) {
	for _, name := range []string{Prosody, Ejabberd} {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}
