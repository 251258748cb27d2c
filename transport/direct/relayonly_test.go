package direct

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"

	"git-remote-xmpp/integration/testserver"
)

// newRelayedWire is a wire whose one end has packets relayed only, by servers, and may trust some. Its UDP sockets can be looked at.
func newRelayedWire(t *testing.T, cfg Config) (w *wire, sockets func() []*net.UDPAddr) {
	t.Helper()
	var mu sync.Mutex
	var addrs []*net.UDPAddr
	w = newWireWith(t, func(a, _ *Config) {
		cfg.Receive, cfg.Changed, cfg.Controlling, cfg.Loopback, cfg.RelayOnly = a.Receive, a.Changed, true, true, true
		cfg.Listen = func(network string, addr *net.UDPAddr) (Socket, error) {
			conn, err := net.ListenUDP(network, addr)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				addrs = append(addrs, conn.LocalAddr().(*net.UDPAddr))
			}
			return conn, err
		}
		*a = cfg
	})
	return w, func() []*net.UDPAddr {
		mu.Lock()
		defer mu.Unlock()
		return append([]*net.UDPAddr(nil), addrs...)
	}
}

// Who has packets relayed only gathers no address of their own, and the other end knows none. Strangers who find the socket from which the server is asked get no
// answer, and the path stays.
func TestRelayOnly(t *testing.T) {
	turn := testserver.NewTURN(t, testserver.Place{})
	user, password := turn.Credentials()
	servers := []Server{{Host: turn.Host, Port: turn.Port}, {TURN: true, Host: turn.Host, Port: turn.Port, Username: user, Password: password}}
	w, sockets := newRelayedWire(t, Config{Servers: func(context.Context) []Server { return servers }})
	w.await(t, true)
	if s := w.a.State(); !s.Relayed {
		t.Errorf("not relayed: %+v", s)
	}
	p := w.a.current.Load()
	search := p.carrier.(udp).search
	ours, err := search.agent.GetLocalCandidates()
	if err != nil || len(ours) == 0 {
		t.Fatal(err, len(ours))
	}
	theirs, err := w.b.current.Load().carrier.(udp).search.agent.GetRemoteCandidates()
	if err != nil || len(theirs) == 0 {
		t.Fatal(err, len(theirs))
	}
	for _, c := range append(ours, theirs...) {
		if c.Type() != ice.CandidateTypeRelay {
			t.Errorf("a candidate: %s", c)
		}
	}
	data, err := stun.Build(stun.NewType(stun.MethodData, stun.ClassIndication), stun.TransactionID, stun.Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	if len(sockets()) == 0 {
		t.Fatal("no sockets")
	}
	for _, addr := range sockets() {
		stranger, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: addr.Port})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range append(strangeWords(t, search), data.Raw, []byte{0x40, 0, 0, 4, 1, 2, 3, 4}) {
			if _, err := stranger.Write(b); err != nil {
				t.Fatalf("%s: %v", addr, err)
			}
		}
		if !w.b.Write(packetOf(99, 1)) { // it comes by the same socket, behind the stranger's
			t.Fatal("the path is gone")
		}
		expectPacket(t, w.aGot, packetOf(99, 1))
		_ = stranger.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := stranger.Read(make([]byte, 2000)); err == nil {
			t.Errorf("%s answers a stranger with %d bytes", addr, n)
		}
		_ = stranger.Close()
	}
	if w.a.current.Load() != p {
		t.Error("the path was given up")
	}
}
