package transport_test

import (
	"io"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// What an endpoint sends when it is closed arrives, also while much is on its way: the peer learns of the end at once.
func TestClosedInTransfer(t *testing.T) {
	testserver.OnEach(t, testserver.Options{BytesPerSecond: 1_000_000}, func(t *testing.T, s *testserver.Server) {
		alice, bob, key := pair(t, s)
		dialed, accepted := connect(t, alice, bob, key)
		out, err := dialed.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = out.Write(make([]byte, 16<<20)) }() // ends with the connection
		in, err := accepted.AcceptStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(in, make([]byte, 512<<10)); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, in) }() // ends with the connection
		began := time.Now()
		alice.Close()
		select {
		case <-accepted.Context().Done():
			t.Logf("known after %v", time.Since(began))
		case <-time.After(10 * time.Second):
			t.Fatal("the peer doesn't know that the connection has been closed")
		}
	})
}
