package transport_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
)

// Where one side's addresses are kept from the other, packets go through the TURN server that the XMPP server names, whose credentials last only for a while.
func TestRelayed(t *testing.T) {
	turn := testserver.NewTURN(t, testserver.Place{})
	s := testserver.New(t, testserver.Prosody, testserver.Options{TURN: turn})
	a, b := configFor(t, s, "alice", "git-a"), configFor(t, s, "bob", "git-b")
	anyKey := func(ed25519.PublicKey) bool { return true }
	a.Direct, b.Direct = &transport.Direct{Allow: anyKey, RelayOnly: true}, &transport.Direct{Allow: anyKey}
	b.Serve, b.Admit = true, a.Account.Equal
	alice, bob := start(t, a), start(t, b)
	begin := time.Now()
	from, to := connect(t, alice, bob, public(b))
	for _, c := range []*transport.Conn{from, to} {
		for !c.Path().Relayed {
			if time.Since(begin) > deadline {
				t.Fatalf("not relayed: %+v", c.Path())
			}
			time.Sleep(time.Millisecond)
		}
	}
	t.Logf("relayed after %v: %+v", time.Since(begin), to.Path())
	begin = time.Now()
	transfer(t, from, to, random(8<<20))
	t.Logf("%.1f MB/s", 8*1.048576/time.Since(begin).Seconds())
	transfer(t, to, from, random(1<<20))
	if p := to.Path(); !p.Relayed {
		t.Errorf("not relayed any more: %+v", p)
	}
}
