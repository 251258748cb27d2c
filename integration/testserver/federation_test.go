package testserver

import (
	"strings"
	"testing"

	"mellium.im/xmpp/jid"
)

// Accounts of a Prosody and an ejabberd that are federated exchange messages, both ways.
func TestFederation(t *testing.T) {
	ctx := testContext(t)
	f := NewFederation(t, "a.test", "b.test")
	a := startServer(ctx, t, Prosody, f.Options("a.test", Options{}))
	b := startServer(ctx, t, Ejabberd, f.Options("b.test", Options{}))
	alice, bob := Login(ctx, t, a, "alice", false), Login(ctx, t, b, "bob", false)
	for _, way := range []struct{ from, to *Client }{{alice, bob}, {bob, alice}} {
		to := jid.MustParse(way.to.LocalAddr().String())
		if err := way.from.sendBody(ctx, to, overLimit); err != nil {
			t.Fatal(err)
		}
		if got := way.to.Receive(ctx, t).Body; got != strings.Repeat("x", overLimit) {
			t.Fatalf("%s got %d bytes: %.100q%s%s", to, len(got), got, tail(a.LogFile), tail(b.LogFile))
		}
	}
}
