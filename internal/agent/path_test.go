package agent_test

import (
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/transport"
)

// A client is told how packets go at once, and when they go another way.
func TestPath(t *testing.T) {
	f := start(t, &agent.Server{})
	c, p := f.dial(t)
	for _, want := range []transport.Path{
		{Why: "by our settings"},
		{Direct: true, Address: "192.0.2.1:4", Trip: time.Second, Loss: 0.5},
		{Direct: true, Relayed: true, Address: "192.0.2.1:4"},
		{Why: "it  broke" + strings.Repeat("!", 100)},
	} {
		said := want
		said.Why = strings.Replace(want.Why, "  ", "\n\t", 1) // what isn't for a terminal is left out
		p.stream.path.Store(&said)
		end := time.Now().Add(deadline)
		for c.Path() == nil || *c.Path() != want {
			if time.Now().After(end) {
				t.Fatalf("the client has %+v, want %+v", c.Path(), want)
			}
			time.Sleep(time.Millisecond)
		}
	}
}
