package transport

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A gate stands between a client and its server: it counts what either sends, and passes what the server does on as slowly as it is told.
type gate struct {
	net.Listener
	sent, got atomic.Int64
	pause     atomic.Int64 // after each gateBytes of the server's, in nanoseconds
	tasks     sync.WaitGroup
}

const gateBytes = 16 << 10

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: l}
	var mu sync.Mutex
	var conns []net.Conn
	g.tasks.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, client, server)
			mu.Unlock()
			g.tasks.Go(func() { g.pass(client, server, &g.sent, new(atomic.Int64)) })
			g.tasks.Go(func() { g.pass(server, client, &g.got, &g.pause) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		g.tasks.Wait()
	})
	return g
}

// pass copies one direction.
func (g *gate) pass(from, to net.Conn, count, pause *atomic.Int64) {
	buf := make([]byte, gateBytes)
	for {
		n, err := from.Read(buf)
		time.Sleep(time.Duration(pause.Load()))
		count.Add(int64(n))
		if _, writeErr := to.Write(buf[:n]); err != nil || writeErr != nil {
			_ = to.Close()
			return
		}
	}
}

// After a direct path has let windows grow, no more is on its way through servers to a slow peer than before.
func TestFallbackIsBounded(t *testing.T) {
	var alices, bobs *gate
	l, alice, bob := near(t, func(l *lan, a, b *Config) {
		l.delay(t, 50*time.Millisecond) // so that windows have a reason to grow
		alices, bobs = newGate(t, a.Server), newGate(t, b.Server)
		a.Server, b.Server = alices.Addr().String(), bobs.Addr().String()
	})
	awaitPath(t, true, alice, bob)
	out, err := alice.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var tasks sync.WaitGroup
	tasks.Go(func() { _, _ = io.Copy(out, endless{}) }) // until the connection is closed
	in, err := bob.AcceptStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tasks.Go(func() { _, _ = io.Copy(io.Discard, in) })
	defer tasks.Wait()
	defer bob.Close(0)
	defer alice.Close(0)
	const wide = 3 * maxFallbackBytes
	for begin := time.Now(); alice.quic.ConnectionStats().CongestionWindow < wide; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > routeDeadline {
			t.Fatalf("a congestion window of %d bytes only", alice.quic.ConnectionStats().CongestionWindow)
		}
	}
	sent, got := alices.sent.Load(), bobs.got.Load()
	bobs.pause.Store(int64(4 * time.Millisecond)) // 4 MB/s at the most
	l.down.Store(true)
	awaitPath(t, false, alice)
	most := int64(0)
	for begin := time.Now(); time.Since(begin) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		most = max(most, alices.sent.Load()-sent-(bobs.got.Load()-got))
	}
	t.Logf("at most %d bytes on their way, %d arrived, a window of %d", most, bobs.got.Load()-got, alice.quic.ConnectionStats().CongestionWindow)
	if bobs.got.Load()-got < 2*maxFallbackBytes {
		t.Error("not enough went through the server for the test to mean anything")
	}
	if limit := int64(maxFallbackBytes * 2); most > limit { // base64 and envelopes make 1.41 of 1, and what is on its way is an estimate
		t.Errorf("%d bytes were on their way through the server, at most %d were expected", most, limit)
	}
}

// endless are zeros.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }
