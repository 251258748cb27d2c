package integration

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"github.com/quic-go/quic-go"
)

const (
	// floodHandshakes is how many are begun.
	floodHandshakes = 2000
	// floodConnections is how many are made, more than serve would have of all peers together. With SURVIVE_SECONDS set, however many, it is floodHandshakes.
	floodConnections = 200
	// floodHandshakeBytes is by how much serve may grow meanwhile. Without a limit 2,000 that are half open cost ten times that.
	floodHandshakeBytes = 24 << 20
)

// Handshakes by the thousand that are left after the first packets, from a known address.
func TestFloodOfHalfOpen(t *testing.T) {
	t.Parallel()
	f := newFloodScene(t, testserver.Prosody)
	flood := newFlooder(t, f.server, "alice", "flood", f.daemon.jid)
	began := time.Now()
	flood.firstFlights(floodKey(t), floodHandshakes)
	t.Logf("%d first flights in %v", floodHandshakes, time.Since(began))
	f.bounded("half open", floodUse{bytes: floodHandshakeBytes})
	f.push("meanwhile")
	f.alice.git(f.alice.dir, "ls-remote", "xmpp::bob@localhost/proj") // from the same account, by another session
	f.bounded("half open", floodUse{bytes: floodHandshakeBytes})
	f.ended()
}

// The same by a stranger: nothing of it reaches QUIC.
func TestFloodByAStranger(t *testing.T) {
	t.Parallel()
	f := newFloodScene(t, testserver.Prosody)
	flood := newFlooder(t, f.server, "dave", "flood", f.daemon.jid)
	flood.firstFlights(floodKey(t), floodHandshakes)
	f.push("meanwhile")
	f.bounded("a stranger's", floodUse{bytes: 4 << 20})
	f.ended()
}

// Connections by the thousand that are made and left: by keys that nobody knows, from a known peer's account, and by the peer's own key.
func TestFloodOfConnections(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		t.Run(map[bool]string{false: "unknown keys", true: "a known key"}[known], func(t *testing.T) {
			t.Parallel()
			f := newFloodScene(t, testserver.Prosody)
			const atOnce = 6 // fewer than a peer may begin at once: all are made
			n := floodConnections
			if os.Getenv("SURVIVE_SECONDS") != "" {
				n = floodHandshakes
			}
			flood := newFlooder(t, f.server, "alice", "flood", f.daemon.jid)
			var made atomic.Int64
			var all sync.WaitGroup
			began := time.Now()
			for range atOnce {
				all.Go(func() {
					for range n/atOnce + 1 {
						key := f.alice.private()
						if !known {
							key = floodKey(t)
						}
						ctx, cancel := context.WithTimeout(context.Background(), deadline)
						if _, err := flood.dial(ctx, key, quic.Config{}); err == nil {
							made.Add(1)
						}
						cancel()
					}
				})
			}
			all.Wait()
			t.Logf("%d connections made in %v", made.Load(), time.Since(began))
			if made.Load() < int64(n) {
				t.Errorf("only %d connections were made", made.Load())
			}
			f.push("meanwhile")
			f.bounded("connections", floodUse{bytes: floodHandshakeBytes})
			f.ended()
		})
	}
}
