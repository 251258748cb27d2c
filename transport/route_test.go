package transport

import (
	"bytes"
	"context"
	"crypto/ed25519"
	cryptorand "crypto/rand"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"git-remote-xmpp/transport/direct"
	"mellium.im/xmpp/jid"
)

// routeDeadline bounds every wait of these tests.
const routeDeadline = 20 * time.Second

// A lan is what sockets of tests go through.
type lan struct {
	down atomic.Bool  // nothing gets through
	mute atomic.Bool  // no answers to probes get through
	mtu  atomic.Int64 // the largest datagram that does; 0: any
	sent atomic.Int64 // bytes that got through

	opened, closed atomic.Int64 // sockets

	loss atomic.Int64 // percent
	wait atomic.Int64 // for how long datagrams are on their way, in nanoseconds
	late chan lateDatagram
}

type lanSocket struct {
	*net.UDPConn
	lan  *lan
	once *sync.Once
}

func (l *lan) listen(network string, addr *net.UDPAddr) (direct.Socket, error) {
	conn, err := net.ListenUDP(network, addr)
	if err != nil {
		return nil, err
	}
	l.opened.Add(1)
	return lanSocket{conn, l, new(sync.Once)}, nil
}

func (s lanSocket) Close() error {
	s.once.Do(func() { s.lan.closed.Add(1) })
	return s.UDPConn.Close()
}

func (s lanSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	const answer = 0x21 // see SPEC.md
	if mtu := s.lan.mtu.Load(); s.lan.down.Load() || s.lan.mute.Load() && b[0] == answer || mtu > 0 && int64(len(b)) > mtu {
		return len(b), nil
	}
	s.lan.sent.Add(int64(len(b)))
	if rand.IntN(100) < int(s.lan.loss.Load()) {
		return len(b), nil
	}
	if wait := s.lan.wait.Load(); wait > 0 {
		late := lateDatagram{bytes.Clone(b), to, s.UDPConn, time.Now().Add(time.Duration(wait))}
		select {
		case s.lan.late <- late:
		default: // lost
		}
		return len(b), nil
	}
	return s.UDPConn.WriteTo(b, to)
}

// A lateDatagram is on its way.
type lateDatagram struct {
	data []byte
	to   net.Addr
	by   *net.UDPConn
	due  time.Time
}

// delay holds all that is sent from now on back for a while.
func (l *lan) delay(t testing.TB, wait time.Duration) {
	l.late = make(chan lateDatagram, 20000)
	l.wait.Store(int64(wait))
	var tasks sync.WaitGroup
	stop := make(chan struct{})
	tasks.Go(func() {
		for {
			select {
			case d := <-l.late:
				time.Sleep(time.Until(d.due))
				_, _ = d.by.WriteTo(d.data, d.to) // the socket may be closed
			case <-stop:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		tasks.Wait()
	})
}

func anyKey(ed25519.PublicKey) bool { return true }

// near is alice's connection to bob, who may use direct paths through a lan. Each setting may be changed first.
func near(t testing.TB, change func(l *lan, alice, bob *Config)) (l *lan, alice, bob *Conn) {
	t.Helper()
	l = &lan{}
	config := startEmbedded(t)
	a, b := config("alice"), config("bob")
	a.Direct, b.Direct = &Direct{Allow: anyKey, listen: l.listen}, &Direct{Allow: anyKey, listen: l.listen}
	b.Serve, b.Admit = true, func(jid.JID) bool { return true }
	if change != nil {
		change(l, &a, &b)
	}
	from, to := startEndpoint(t, a), startEndpoint(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), routeDeadline)
	defer cancel()
	alice, err := from.Dial(ctx, to.JID(), b.Identity.Public().(ed25519.PublicKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	if bob, err = to.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	return l, alice, bob
}

// awaitPath waits for both ends to have a direct path, or none.
func awaitPath(t testing.TB, want bool, conns ...*Conn) time.Duration {
	t.Helper()
	begin := time.Now()
	for _, c := range conns {
		for c.Path().Direct != want {
			if time.Since(begin) > routeDeadline {
				t.Fatalf("want direct %v: %+v", want, c.Path())
			}
			time.Sleep(time.Millisecond)
		}
	}
	return time.Since(begin)
}

// carry sends random bytes over a stream and returns the longest time in which none of them arrived, and how long it took. Meanwhile is called when a part has arrived.
func carry(t *testing.T, from, to *Conn, size int, meanwhile func()) (stall, took time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*routeDeadline)
	defer cancel()
	out, err := from.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	_, _ = cryptorand.Read(data) // never fails
	sent := make(chan error, 1)
	go func() {
		_, err := out.Write(data)
		_ = out.Close() // fails only if the write did
		sent <- err
	}()
	in, err := to.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = in.SetReadDeadline(time.Now().Add(3 * routeDeadline))
	got, begin, last := make([]byte, size), time.Now(), time.Now()
	for n := 0; n < size; {
		m, err := in.Read(got[n:min(size, n+64<<10)])
		if err != nil && err != io.EOF {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		n += m
		stall, last = max(stall, time.Since(last)), time.Now()
		if meanwhile != nil && n > size/3 {
			meanwhile()
			meanwhile = nil
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if string(got) != string(data) {
		t.Fatal("other bytes arrived")
	}
	return stall, time.Since(begin)
}

// Two ends on one network have a direct path at once, and go on over it when the server is gone.
func TestDirect(t *testing.T) {
	l, alice, bob := near(t, nil)
	if took := awaitPath(t, true, alice, bob); took > time.Second {
		t.Errorf("a direct path after %v", took)
	}
	before := l.sent.Load()
	const size = 8 << 20
	stall, took := carry(t, alice, bob, size, nil)
	t.Logf("%.1f MB/s, %+v, stall %v", size/1e6/took.Seconds(), alice.Path(), stall)
	if sent := l.sent.Load() - before; sent < size {
		t.Errorf("only %d bytes went directly", sent)
	}
}

// A direct path that breaks in the middle of a transfer is left for messages at once, and used again when it is back.
func TestDirectBreaks(t *testing.T) {
	l, alice, bob := near(t, nil)
	awaitPath(t, true, alice, bob)
	stall, took := carry(t, alice, bob, 16<<20, func() { l.down.Store(true) })
	t.Logf("stall of %v in %v", stall, took)
	if stall > 3*time.Second {
		t.Errorf("nothing arrived for %v", stall)
	}
	awaitPath(t, false, alice, bob)
	if why := alice.Path().Why; why == "" {
		t.Error("no word of why")
	}
	l.down.Store(false)
	awaitPath(t, true, alice, bob)
	if stall, _ := carry(t, bob, alice, 1<<20, nil); stall > 3*time.Second {
		t.Errorf("nothing arrived for %v", stall)
	}
}

// A path that takes small datagrams only carries packets in halves, and whole again when it takes them.
func TestDirectSmallMTU(t *testing.T) {
	l, alice, bob := near(t, func(l *lan, _, _ *Config) { l.mtu.Store(1232) }) // what an MTU of 1,280 leaves over IPv6
	awaitPath(t, true, alice, bob)
	before := l.sent.Load()
	if stall, _ := carry(t, alice, bob, 2<<20, nil); stall > time.Second || l.sent.Load()-before < 2<<20 {
		t.Errorf("a stall of %v, %d bytes went directly", stall, l.sent.Load()-before)
	}
	l.mtu.Store(0)
	if stall, _ := carry(t, bob, alice, 2<<20, func() { l.mtu.Store(1232) }); stall > 3*time.Second {
		t.Errorf("a stall of %v when the path took small datagrams only", stall)
	}
}

// Who doesn't want a direct path opens no socket, and the other end's isn't used. Both know why.
func TestDirectNever(t *testing.T) {
	for _, side := range []string{"alice", "bob"} {
		l, alice, bob := near(t, func(_ *lan, a, b *Config) {
			never := map[string]*Config{"alice": a, "bob": b}[side]
			never.Direct = nil
		})
		if stall, _ := carry(t, alice, bob, 1<<20, nil); stall > 3*time.Second {
			t.Errorf("a stall of %v", stall)
		}
		for _, c := range []*Conn{alice, bob} {
			if p := c.Path(); p.Direct || p.Why == "" {
				t.Errorf("%s doesn't want a direct path: %+v", side, p)
			}
		}
		if l.opened.Load() != 0 {
			t.Errorf("%d sockets were opened", l.opened.Load())
		}
	}
}

// A peer that may not know our addresses yet, as before it has redeemed an invite, gets a direct path when it may, at its next stream.
func TestDirectAllowedLater(t *testing.T) {
	var may atomic.Bool
	l, alice, bob := near(t, func(_ *lan, _, b *Config) { b.Direct.Allow = func(ed25519.PublicKey) bool { return may.Load() } })
	carry(t, alice, bob, 1<<10, nil)
	time.Sleep(300 * time.Millisecond) // nothing is to happen
	if alice.Path().Direct || bob.Path().Direct || l.opened.Load() != 0 {
		t.Errorf("%+v, %+v, %d sockets", alice.Path(), bob.Path(), l.opened.Load())
	}
	may.Store(true)
	carry(t, alice, bob, 1<<10, nil)
	awaitPath(t, true, alice, bob)
}

// With a direct path the connection outlives the servers' word that the peer went offline, and its grace.
func TestDirectWithoutServer(t *testing.T) {
	_, alice, bob := near(t, nil)
	awaitPath(t, true, alice, bob)
	for _, c := range []*Conn{alice, bob} {
		book := c.endpoint.book
		book.present(c.peer.jid, false)
		if c.Away() {
			t.Error("a peer with a direct path counts as away")
		}
		book.lost(book.entries[c.peer.full]) // as after the grace
	}
	carry(t, alice, bob, 1<<20, nil)
}

// A connection that ends takes its sockets with it, and the peer learns of the end whatever the direct path does.
func TestDirectEnds(t *testing.T) {
	l, alice, bob := near(t, nil)
	awaitPath(t, true, alice, bob)
	l.down.Store(true)
	alice.Close(0)
	select {
	case <-bob.Context().Done():
	case <-time.After(routeDeadline):
		t.Fatal("the other end doesn't know")
	}
	for begin := time.Now(); alice.peer.routes.ever.Load() || bob.peer.routes.ever.Load(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > routeDeadline {
			t.Fatal("the next connection would be taken for one that had a direct path")
		}
	}
	for begin := time.Now(); l.closed.Load() < l.opened.Load(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > routeDeadline {
			t.Fatalf("%d of %d sockets were closed", l.closed.Load(), l.opened.Load())
		}
	}
}

// QUIC learns what the direct way is like, whatever it knew of the one through the server. The network is long, and loses packets now and then.
func TestDirectLossy(t *testing.T) {
	_, alice, bob := near(t, func(l *lan, _, _ *Config) {
		l.delay(t, 25*time.Millisecond)
		l.loss.Store(1)
	})
	awaitPath(t, true, alice, bob)
	const size = 8 << 20
	stall, took := carry(t, alice, bob, size, nil)
	t.Logf("%.1f MB/s, stall %v, %+v, %+v", size/1e6/took.Seconds(), stall, alice.Path(), alice.quic.ConnectionStats())
	carry(t, bob, alice, size, nil)
	for _, c := range []*Conn{alice, bob} {
		if trip := c.quic.ConnectionStats().MinRTT; trip < 40*time.Millisecond {
			t.Errorf("QUIC still goes by a round trip of %v, that through the server", trip)
		}
	}
}

// The side that dialled migrates also if the other one has had a direct path for long.
func TestDirectLate(t *testing.T) {
	bobs := &lan{}
	_, alice, bob := near(t, func(l *lan, _, b *Config) {
		l.delay(t, 25*time.Millisecond)
		bobs.delay(t, 25*time.Millisecond)
		bobs.mute.Store(true) // alice doesn't learn that her packets come through
		b.Direct.listen = bobs.listen
	})
	awaitPath(t, true, bob)
	for range 3 { // bob answers hers directly
		carry(t, alice, bob, 64<<10, nil)
		carry(t, bob, alice, 64<<10, nil)
	}
	if alice.Path().Direct {
		t.Fatal("alice has a path, the test is wrong")
	}
	bobs.mute.Store(false)
	awaitPath(t, true, alice)
	carry(t, alice, bob, 1<<20, nil)
	for _, c := range []*Conn{alice, bob} {
		if trip := c.quic.ConnectionStats().MinRTT; trip < 40*time.Millisecond {
			t.Errorf("QUIC still goes by a round trip of %v, that through the server", trip)
		}
	}
}
