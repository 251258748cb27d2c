package network_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"git-remote-xmpp/integration/network"
)

// nothing is how long somebody waits for what isn't to come.
const nothing = 300 * time.Millisecond

// socket is a UDP socket of a host's.
func socket(t *testing.T, n *network.Namespace, network string) (conn *net.UDPConn) {
	t.Helper()
	var err error
	n.Do(func() { conn, err = net.ListenUDP(network, nil) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// seenAs is the address by which others see a socket: what STUN is for.
func seenAs(t *testing.T, i *network.Internet, conn *net.UDPConn) netip.AddrPort {
	t.Helper()
	server := socket(t, i.Namespace, "udp4")
	at := netip.AddrPortFrom(i.Addr, server.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	if _, err := conn.WriteToUDPAddrPort([]byte("?"), at); err != nil {
		t.Fatal(err)
	}
	from, ok := receive(t, server, deadline)
	if !ok {
		t.Fatal("the server was not reached")
	}
	return from
}

// receive waits for a packet.
func receive(t *testing.T, conn *net.UDPConn, wait time.Duration) (from netip.AddrPort, ok bool) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	_, from, err := conn.ReadFromUDPAddrPort(make([]byte, 2048))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err == nil
}

// Two machines that know by which addresses a server sees them reach each other, unless a router of theirs takes another port for each
// destination.
func TestNAT(t *testing.T) {
	for name, c := range map[string]struct {
		a, b  network.NAT
		reach bool
	}{
		"none":        {network.NoNAT, network.NoNAT, true},
		"cone":        {network.ConeNAT, network.ConeNAT, true},
		"symmetric":   {network.SymmetricNAT, network.SymmetricNAT, false},
		"one of each": {network.SymmetricNAT, network.ConeNAT, false},
	} {
		t.Run(name, func(t *testing.T) {
			i := network.NewInternet(t)
			a, b := socket(t, i.Site(network.SiteOptions{NAT: c.a}).NewHost().Namespace, "udp4"), socket(t, i.Site(network.SiteOptions{NAT: c.b}).NewHost().Namespace, "udp4")
			aSeen, bSeen := seenAs(t, i, a), seenAs(t, i, b)
			send := func(conn *net.UDPConn, to netip.AddrPort) {
				if _, err := conn.WriteToUDPAddrPort([]byte("!"), to); err != nil {
					t.Fatal(err)
				}
			}
			send(a, bSeen) // not let in, or it comes
			if _, ok := receive(t, b, nothing); ok {
				t.Error("a stranger's packet was let in")
			}
			send(b, aSeen)
			if _, ok := receive(t, a, nothing); ok != c.reach {
				t.Fatalf("reached: %v", ok)
			}
			if send(a, bSeen); !c.reach {
				return
			}
			if from, ok := receive(t, b, deadline); !ok || from != aSeen {
				t.Errorf("packet from %v, want one from %v", from, aSeen)
			}
		})
	}
}

// A router's rules hold for what it forwards, from when they are set.
func TestRules(t *testing.T) {
	i := network.NewInternet(t)
	site := i.Site(network.SiteOptions{NAT: network.ConeNAT, Rules: "meta l4proto udp drop"})
	host := site.NewHost()
	var l net.Listener
	var err error
	i.Do(func() { l, err = net.Listen("tcp4", i.Addr.String()+":0") })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var conn net.Conn
	host.Do(func() { conn, err = net.DialTimeout("tcp4", l.Addr().String(), deadline) })
	if err != nil {
		t.Fatalf("TCP isn't let through: %v", err)
	}
	_ = conn.Close()
	server, client := socket(t, i.Namespace, "udp4"), socket(t, host.Namespace, "udp4")
	to := netip.AddrPortFrom(i.Addr, server.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	through := func(wait time.Duration) bool {
		if _, err := client.WriteToUDPAddrPort([]byte("?"), to); err != nil {
			t.Fatal(err)
		}
		_, ok := receive(t, server, wait)
		return ok
	}
	if through(nothing) {
		t.Error("UDP is let through")
	}
	site.SetRules("")
	if !through(deadline) {
		t.Error("UDP isn't let through without the rule")
	}
	site.SetRules("meta l4proto udp drop")
	if through(nothing) {
		t.Error("UDP is let through again")
	}
}

// A host that moves has another address and reaches the Internet by it, also where there are two families.
func TestMoveTo(t *testing.T) {
	i := network.NewInternet(t)
	o := network.SiteOptions{NAT: network.ConeNAT, IPv6: true}
	host := i.Site(o).NewHost()
	before, conn := host.Addr, socket(t, host.Namespace, "udp4")
	seen := seenAs(t, i, conn)
	host.MoveTo(i.Site(o))
	if host.Addr == before || seenAs(t, i, conn) == seen {
		t.Errorf("it is still at %v, seen as %v", before, seen)
	}
	server, client := socket(t, i.Namespace, "udp6"), socket(t, host.Namespace, "udp6")
	if _, err := client.WriteToUDPAddrPort([]byte("?"), netip.AddrPortFrom(i.Addr6, server.LocalAddr().(*net.UDPAddr).AddrPort().Port())); err != nil {
		t.Fatal(err)
	}
	if from, ok := receive(t, server, deadline); !ok || !from.Addr().Is6() {
		t.Errorf("over IPv6: %v, %v", from, ok)
	}
}

// A site's connection has the delay and the MTU that it should have.
func TestConnection(t *testing.T) {
	i := network.NewInternet(t)
	host := i.Site(network.SiteOptions{NAT: network.ConeNAT, Delay: delay}).NewHost()
	began := time.Now()
	seenAs(t, i, socket(t, host.Namespace, "udp4"))
	if took := time.Since(began); took < delay {
		t.Errorf("a packet took %v", took)
	}
	narrow := i.Site(network.SiteOptions{MTU: 1280}).NewHost()
	conn := socket(t, narrow.Namespace, "udp4")
	seenAs(t, i, conn)
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	whole := func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
	}
	if err := errors.Join(raw.Control(whole), err); err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(i.Addr, 9)
	for end := time.Now().Add(deadline); ; { // the router's word that a packet is too large comes after the first
		if _, err := conn.WriteToUDPAddrPort(make([]byte, 1400), to); errors.Is(err, unix.EMSGSIZE) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("1,428 bytes go through 1,280")
		}
	}
}

// Hosts of one site reach each other without the Internet.
func TestSameSite(t *testing.T) {
	site := network.NewInternet(t).Site(network.SiteOptions{NAT: network.ConeNAT, Rules: "oifname \"wan\" drop"})
	one, other := site.NewHost(), site.NewHost()
	a, b := socket(t, one.Namespace, "udp4"), socket(t, other.Namespace, "udp4")
	if _, err := a.WriteToUDPAddrPort([]byte("?"), netip.AddrPortFrom(other.Addr, b.LocalAddr().(*net.UDPAddr).AddrPort().Port())); err != nil {
		t.Fatal(err)
	}
	if from, ok := receive(t, b, deadline); !ok || from.Addr() != one.Addr {
		t.Errorf("came from %v: %v", from, ok)
	}
}
