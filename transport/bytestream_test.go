package transport_test

import (
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
)

// Where no UDP gets through, packets go over TCP through the proxy of the server.
func TestBytestream(t *testing.T) {
	t.Parallel() // it mostly waits, as the next one
	testserver.OnEach(t, testserver.Options{Proxy: true}, func(t *testing.T, s *testserver.Server) {
		from, to := bytestreamBetween(t, s, s)
		begin := time.Now()
		transfer(t, from, to, random(32<<20))
		t.Logf("%.1f MB/s, %+v", 32*1.048576/time.Since(begin).Seconds(), from.Path())
		transfer(t, to, from, random(1<<20))
		var trips []time.Duration
		for range 15 { // whose ends nobody may keep back until the next probe
			begin := time.Now()
			transfer(t, from, to, random(20000))
			trips = append(trips, time.Since(begin))
		}
		slices.Sort(trips)
		if median := trips[len(trips)/2]; median > 60*time.Millisecond {
			t.Errorf("20 kB take %v", median)
		}
		if p := to.Path(); !p.Bytestream || p.Why == "" {
			t.Errorf("no bytestream any more: %+v", p)
		}
	})
}

// Of two servers that of one end's has the proxy, which the other end's knows nothing of.
func TestBytestreamFederated(t *testing.T) {
	t.Parallel()
	f := testserver.NewFederation(t, "a.test", "b.test")
	for _, with := range []string{"a.test", "b.test"} {
		t.Run(with, func(t *testing.T) {
			a := testserver.New(t, testserver.Prosody, f.Options("a.test", testserver.Options{Proxy: with == "a.test"}))
			b := testserver.New(t, testserver.Ejabberd, f.Options("b.test", testserver.Options{Proxy: with == "b.test"}))
			from, to := bytestreamBetween(t, a, b)
			transfer(t, from, to, random(1<<20))
			transfer(t, to, from, random(1<<20))
		})
	}
}

// bytestreamBetween is a connection by a bytestream, between two ends that keep their addresses from each other.
func bytestreamBetween(t *testing.T, hers, his *testserver.Server) (from, to *transport.Conn) {
	t.Helper()
	a, b := configFor(t, hers, "alice", "git-a"), configFor(t, his, "bob", "git-b")
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
