package direct

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

const deadline = 10 * time.Second

// A wire is two links and the streams between them.
type wire struct {
	a, b       *Link
	aGot, bGot chan []byte
	changed    chan struct{}
}

func newWire(t *testing.T) *wire { return newWireWith(t, func(_, _ *Config) {}) }

func newWireOf(t *testing.T, listen func(string, *net.UDPAddr) (Socket, error)) *wire {
	t.Helper()
	return newWireWith(t, func(a, _ *Config) { a.Listen = listen })
}

// newWireWith has the settings of the two changed, of which a controls.
func newWireWith(t *testing.T, change func(a, b *Config)) *wire {
	t.Helper()
	w := &wire{aGot: make(chan []byte, 10000), bGot: make(chan []byte, 10000), changed: make(chan struct{}, 1000)}
	receive := func(got chan []byte) func([]byte) {
		return func(b []byte) {
			select {
			case got <- bytes.Clone(b):
			default:
			}
		}
	}
	changed := func() { w.changed <- struct{}{} }
	a := Config{Controlling: true, Loopback: true, Receive: receive(w.aGot), Changed: changed}
	b := Config{Loopback: true, Receive: receive(w.bGot), Changed: changed}
	change(&a, &b)
	w.a, w.b = New(a), New(b)
	ctx, cancel := context.WithCancel(t.Context())
	aIn, bOut := io.Pipe()
	bIn, aOut := io.Pipe()
	stop := context.AfterFunc(ctx, func() {
		for _, c := range []io.Closer{aIn, aOut, bIn, bOut} {
			_ = c.Close()
		}
	})
	var tasks sync.WaitGroup
	tasks.Go(func() { _ = w.a.Run(ctx, aIn, aOut) })
	tasks.Go(func() { _ = w.b.Run(ctx, bIn, bOut) })
	t.Cleanup(func() {
		cancel()
		tasks.Wait()
		stop()
	})
	return w
}

// await waits for both links to have a path, or none.
func (w *wire) await(t *testing.T, up bool) {
	t.Helper()
	timeout := time.After(deadline)
	for w.a.Up() != up || w.b.Up() != up {
		select {
		case <-w.changed:
		case <-timeout:
			t.Fatalf("want up %v: %+v, %+v", up, w.a.State(), w.b.State())
		}
	}
}

// exchange expects packets of all sizes to arrive as they were.
func (w *wire) exchange(t *testing.T) {
	t.Helper()
	for _, n := range []int{1, 100, wholeBytes, wholeBytes + 1, MaxPacketBytes} {
		if p := packetOf(n, 7); !w.a.Write(p) {
			t.Fatalf("%d bytes weren't sent", n)
		} else {
			expectPacket(t, w.bGot, p)
		}
		if p := packetOf(n, 9); !w.b.Write(p) {
			t.Fatalf("%d bytes weren't sent", n)
		} else {
			expectPacket(t, w.aGot, p)
		}
	}
}

func packetOf(n int, fill byte) []byte {
	b := bytes.Repeat([]byte{fill}, n)
	b[0] = quicShort
	return b
}

func expectPacket(t *testing.T, got <-chan []byte, want []byte) {
	t.Helper()
	select {
	case b := <-got:
		if !bytes.Equal(b, want) {
			t.Fatalf("%d bytes came, want %d", len(b), len(want))
		}
	case <-time.After(deadline):
		t.Fatalf("%d bytes didn't come", len(want))
	}
}

// Two links on one machine find each other at once, and packets of all sizes arrive as they were.
func TestLink(t *testing.T) {
	w := newWire(t)
	if w.a.Write(packetOf(100, 1)) {
		t.Error("a packet went over no path")
	}
	begin := time.Now()
	w.await(t, true)
	t.Logf("up after %v: %+v", time.Since(begin), w.a.State())
	w.exchange(t)
	for _, p := range [][]byte{{}, packetOf(MaxPacketBytes+1, 1), {0xc0, 1, 2}, {frameProbe, 1, 2}} {
		if w.a.Write(p) {
			t.Errorf("sent: %x", p[:min(len(p), 3)])
		}
	}
}

// A lossy socket loses every tenth packet, once.
type lossy struct {
	*net.UDPConn
	mu   *sync.Mutex
	lost map[uint32]bool
}

func (l lossy) WriteTo(b []byte, to net.Addr) (int, error) {
	if b[0] == frameNumbered {
		l.mu.Lock()
		defer l.mu.Unlock()
		if n := binary.BigEndian.Uint32(b[1:]); n%10 == 0 && !l.lost[n] {
			l.lost[n] = true
			return len(b), nil
		}
	}
	return l.UDPConn.WriteTo(b, to)
}

// Packets that the network has lost arrive, the last one too.
func TestLossyLink(t *testing.T) {
	lost := map[uint32]bool{}
	var mu sync.Mutex
	w := newWireOf(t, func(network string, addr *net.UDPAddr) (Socket, error) {
		conn, err := net.ListenUDP(network, addr)
		return lossy{conn, &mu, lost}, err
	})
	w.await(t, true)
	for n := range 100 {
		if !w.a.Write(packetOf(1000+n, byte(n))) {
			t.Fatal("the path is gone")
		}
	}
	missing := map[int]bool{}
	for n := range 100 {
		missing[n] = true
	}
	for timeout := time.After(deadline); len(missing) > 0; {
		select {
		case b := <-w.bGot:
			delete(missing, len(b)-1000)
		case <-timeout:
			t.Fatalf("%v didn't come", missing)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(lost) != 10 {
		t.Errorf("%d were lost", len(lost))
	}
}
