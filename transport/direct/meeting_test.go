package direct

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Two ends without UDP meet at the proxy of either's server.
func TestMeeting(t *testing.T) {
	t.Parallel()
	unreachable := func(context.Context) (*Proxy, error) {
		at := closedPort(t)
		return &Proxy{Host: at.Addr().String(), Port: at.Port()}, nil
	}
	picky := newJoint(t)
	picky.only = 1
	wires := map[string]*wire{
		"of the side that controls":            overProxy(t, newJoint(t).start().proxy, noProxy),
		"of the other side":                    overProxy(t, noProxy, newJoint(t).start().proxy),
		"of the other, as ours is down":        overProxy(t, unreachable, newJoint(t).start().proxy),
		"of the other, which can't reach ours": overProxy(t, picky.start().proxy, newJoint(t).start().proxy),
	}
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			w.await(t, true)
			w.exchange(t)
			for _, s := range []State{w.a.State(), w.b.State()} {
				if !s.Bytestream || s.Relayed || s.Why == "" || !strings.HasPrefix(s.Address, "127.0.0.1:") {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

// Without a proxy there is no bytestream, and both ends say so.
func TestNoMeeting(t *testing.T) {
	t.Parallel()
	w := overProxy(t, noProxy, noProxy)
	for _, l := range []*Link{w.a, w.b} {
		soon(t, "a reason", func() bool {
			return strings.Contains(l.State().Why, "; no bytestream: our server has no proxy; the peer's has none for us")
		})
	}
}

// A proxy that does what it wants gets nothing but probes, and nothing of what it says is taken.
func TestHostileProxy(t *testing.T) {
	t.Parallel()
	say := func(b []byte) func(_, _ net.Conn) {
		return func(first, second net.Conn) {
			for _, c := range []net.Conn{first, second} {
				_, _ = c.Write(b)
			}
		}
	}
	packet := append([]byte{0, 109, frameNumbered, 0, 0, 0, 1, 1, 2, 3, 4}, packetOf(100, 1)...)
	frames := packet
	for kind := range byte(0x30) {
		frames = append(frames, append([]byte{0, 40, kind}, make([]byte, 39)...)...)
	}
	wires := map[string]*wire{}
	for name, script := range map[string]func(*joint){
		"says nothing": func(j *joint) { j.greet = func(net.Conn) bool { return false } },
		"garbage at once": func(j *joint) {
			j.greet = func(c net.Conn) bool { _, _ = c.Write([]byte("HTTP/1.1 400\r\n")); return false }
		},
		"wants a password": func(j *joint) { j.greet = func(c net.Conn) bool { _, _ = c.Write([]byte{5, 2}); return false } },
		"refuses": func(j *joint) {
			j.greet = func(c net.Conn) bool { _, _ = c.Write([]byte{5, 0, 5, 1, 0, 3, 0, 0, 0}); return false }
		},
		"half an answer": func(j *joint) {
			j.greet = func(c net.Conn) bool { _, _ = c.Write([]byte{5, 0, 5, 0, 0, 3, 200}); return false }
		},
		"closes at once":           func(j *joint) { j.greet = func(c net.Conn) bool { return c.Close() != nil } },
		"closes when joined":       func(j *joint) { j.join = func(first, _ net.Conn) { _ = first.Close() } },
		"swallows":                 func(j *joint) { j.join = func(_, _ net.Conn) {} },
		"garbage":                  func(j *joint) { j.join = say(bytes.Repeat([]byte{5, 0x20}, 4000)) },
		"a frame that is too long": func(j *joint) { j.join = say([]byte{5, 0xad, 0}) },
		"made-up frames":           func(j *joint) { j.join = say(frames) },
		"gives each end its own": func(j *joint) {
			j.join = func(first, second net.Conn) { j.tasks.Go(func() { joined(first, first) }); joined(second, second) }
		},
		"changes what it passes on": func(j *joint) { j.join = func(first, second net.Conn) { joined(first, spoiler{second}) } },
		"empty frames without end":  func(j *joint) { j.join = endless },
	} {
		j := newJoint(t)
		script(j)
		wires[name] = overProxy(t, j.start().proxy, noProxy)
	}
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			soon(t, "to give up", func() bool { return strings.Contains(w.a.State().Why, "; no bytestream: ") })
			if w.a.Up() || w.b.Up() || len(w.aGot)+len(w.bGot)+len(w.changed) > 0 {
				t.Errorf("%+v, %+v, %d and %d packets, %d changes", w.a.State(), w.b.State(), len(w.aGot), len(w.bGot), len(w.changed))
			}
			t.Log(w.a.State().Why)
		})
	}
}

// A spoiler changes bytes of each frame.
type spoiler struct{ net.Conn }

func (s spoiler) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	for i := 20; i < n; i += 10 {
		b[i] ^= 1
	}
	return n, err
}

func endless(first, second net.Conn) {
	for {
		for _, c := range []net.Conn{first, second} {
			if _, err := c.Write(make([]byte, 1000)); err != nil {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// Who takes the peer's place at a proxy gets no packet, and none of his is taken.
func TestStrangerAtProxy(t *testing.T) {
	t.Parallel()
	j := newJoint(t)
	told := make(chan []byte, 1000)
	j.join = func(first, _ net.Conn) {
		stranger := newStream(first, func() {})
		defer stranger.close()
		guessed := newSealer(false, "guessed", "guessed")
		for n := uint64(1); ; n++ {
			buf := make([]byte, 2*maxDatagramBytes)
			got, err := stranger.Read(buf)
			if err != nil {
				return
			}
			told <- buf[:got]
			answer := make([]byte, probeBytes)
			guessed.seal(answer, frameAnswer, n, nil)
			_, _ = stranger.Write(answer)
			_, _ = stranger.Write(append([]byte{frameNumbered, 0, 0, 0, byte(n), 1, 2, 3, 4}, packetOf(100, 1)...))
		}
	}
	w := overProxy(t, j.start().proxy, noProxy)
	probes := 0
	for probes < 5 {
		select {
		case b := <-told:
			if b[0] == frameProbe {
				probes++
			} else if b[0] != framePadding {
				t.Errorf("a stranger was told %#x", b[0])
			}
		case <-time.After(deadline):
			t.Fatal("no probes")
		}
	}
	if w.a.Write(packetOf(100, 1)) || w.a.Up() {
		t.Error("packets go to a stranger")
	}
	if len(w.aGot) > 0 {
		t.Error("a stranger's packet was taken")
	}
}

// When a proxy ends a stream that is noticed at once, and the ends meet anew.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	j := newJoint(t).start()
	w := overProxy(t, j.proxy, noProxy)
	w.await(t, true)
	begin := time.Now()
	j.cut()
	w.await(t, false)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("known after %v", took)
	}
	if why := w.a.State().Why; !strings.Contains(why, "no bytestream: it was cut off") {
		t.Error(why)
	}
	w.await(t, true)
	w.exchange(t)
}

// A switched socket takes nothing while it is off.
type switched struct {
	*net.UDPConn
	off *atomic.Bool
}

func (s switched) WriteTo(b []byte, to net.Addr) (int, error) {
	if s.off.Load() {
		return len(b), nil
	}
	return s.UDPConn.WriteTo(b, to)
}

// When UDP fails packets go by a bytestream soon, and over UDP again when that works.
func TestStreamInTheMeantime(t *testing.T) {
	t.Parallel()
	var off atomic.Bool
	j := newJoint(t).start()
	w := newWireWith(t, func(a, b *Config) {
		a.Proxy, b.Proxy = noProxy, j.proxy
		a.Listen = func(network string, addr *net.UDPAddr) (Socket, error) {
			conn, err := net.ListenUDP(network, addr)
			return switched{conn, &off}, err
		}
		b.Listen = a.Listen
	})
	w.await(t, true)
	by := func(stream bool) func() bool {
		return func() bool {
			a, b := w.a.State(), w.b.State()
			w.a.Write(packetOf(50, 1)) // a path that is idle is looked at seldom
			w.b.Write(packetOf(50, 1))
			return a.Up && b.Up && a.Bytestream == stream && b.Bytestream == stream
		}
	}
	if !by(false)() {
		t.Fatalf("%+v", w.a.State())
	}
	off.Store(true)
	begin := time.Now()
	soon(t, "a bytestream", by(true))
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("a bytestream after %v", took)
	}
	off.Store(false)
	soon(t, "a path over UDP", by(false))
}

// A peer can have us connect only where a proxy may be.
func TestMayConnect(t *testing.T) {
	server := netip.MustParseAddr("192.168.7.7")
	l := New(Config{AtServer: func(addr netip.Addr) bool { return addr == server }})
	near := New(Config{Loopback: true})
	own := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8:1::/64")}
	for text, want := range map[string]bool{
		"192.0.2.1": true, "2001:db8:2::1": true, "192.168.7.7": true,
		"192.168.7.8": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "100.64.0.1": false, "198.51.100.9": false, "2001:db8:1::9": false,
		"127.0.0.1": false, "::1": false, "0.0.0.0": false, "::": false, "0.0.0.1": false, "169.254.169.254": false, "fe80::1": false, "224.0.0.1": false, "ff02::1": false,
		"255.255.255.255": false, "240.0.0.1": false, "fd00::1": false, "fec0::1": false, "64:ff9b::a00:1": false, "2002:a00:1::": false, "2001:0::1": false, "::10.0.0.1": false,
		"::ffff:10.0.0.1": false, "fe80::1%eth0": false,
	} {
		addr := netip.MustParseAddr(text).Unmap()
		if got := l.mayConnect(addr, own); got != want {
			t.Errorf("%s: %v", text, got)
		}
		if got := near.mayConnect(addr, own); got != (want && addr != server || addr.IsLoopback()) {
			t.Errorf("%s with a server on this machine: %v", text, got)
		}
	}
}

// Where a peer tells us to connect to a port of our own network nothing is connected to.
func TestToldToScan(t *testing.T) {
	t.Parallel()
	j := newJoint(t).start()
	w := newWireWith(t, func(a, b *Config) {
		a.RelayOnly, a.Proxy = true, j.proxy
		b.RelayOnly, b.Proxy, b.Loopback = true, noProxy, false
	})
	soon(t, "an answer", func() bool { return strings.Contains(w.b.State().Why, errNoAddress.Error()) })
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.conns) != 1 { // the one of who told it
		t.Errorf("%d connections", len(j.conns))
	}
}

// A stream is left when this machine hasn't its address any more, and no sooner.
func TestLeave(t *testing.T) {
	j := newJoint(t).start()
	conn, err := net.Dial("tcp", j.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l := New(Config{})
	over := make(chan struct{})
	close(over)
	m := &meeting{link: l, cancel: func() {}, done: over, conn: conn, stream: newStream(conn, l.poke)}
	l.meeting = m
	for _, addresses := range []string{"127.0.0.1/8 ::1/128 ", "10.0.0.1/8 127.0.0.1/8 "} {
		if l.leave(addresses); l.meeting != m || m.stream.over() {
			t.Fatalf("left with %s", addresses)
		}
	}
	if l.leave("10.0.0.1/8 7.127.0.0.1/8 "); l.meeting != nil || !m.stream.over() {
		t.Error("not left")
	}
}
