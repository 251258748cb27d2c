package transport_test

import (
	"crypto/ed25519"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
)

// Where no UDP gets through, packets go over TCP through the proxy of the server.
func TestBytestream(t *testing.T) {
	testserver.OnEach(t, testserver.Options{Proxy: true}, func(t *testing.T, s *testserver.Server) {
		from, to := bytestreamPair(t, s)
		begin := time.Now()
		transfer(t, from, to, random(32<<20))
		t.Logf("%.1f MB/s, %+v", 32*1.048576/time.Since(begin).Seconds(), from.Path())
		transfer(t, to, from, random(1<<20))
		for range 20 { // whose ends nobody may keep back
			begin := time.Now()
			transfer(t, from, to, random(20000))
			if took := time.Since(begin); took > 0 {
				t.Errorf("20 kB took %v", took)
			}
		}
		if p := to.Path(); !p.Bytestream || p.Why == "" {
			t.Errorf("no bytestream any more: %+v", p)
		}
	})
}

// bytestreamPair is a connection by a bytestream, between two ends that keep their addresses from each other.
func bytestreamPair(t *testing.T, s *testserver.Server) (from, to *transport.Conn) {
	t.Helper()
	a, b := configFor(t, s, "alice", "git-a"), configFor(t, s, "bob", "git-b")
	anyKey := func(ed25519.PublicKey) bool { return true }
	a.Direct, b.Direct = &transport.Direct{Allow: anyKey, RelayOnly: true}, &transport.Direct{Allow: anyKey, RelayOnly: true}
	b.Serve, b.Admit = true, a.Account.Equal
	alice, bob := start(t, a), start(t, b)
	begin := time.Now()
	from, to = connect(t, alice, bob, public(b))
	for _, c := range []*transport.Conn{from, to} {
		for !c.Path().Bytestream {
			if time.Since(begin) > deadline {
				t.Fatalf("no bytestream: %+v", c.Path())
			}
			time.Sleep(time.Millisecond)
		}
	}
	t.Logf("a bytestream after %v: %+v", time.Since(begin), to.Path())
	return from, to
}
