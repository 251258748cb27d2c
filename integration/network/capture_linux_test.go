package network_test

import (
	"net"
	"net/netip"
	"testing"

	"git-remote-xmpp/integration/network"
)

// A capture has whatever leaves a host, of both families, until it is asked; not what comes in, nor what stays within the host.
func TestCapture(t *testing.T) {
	i := network.NewInternet(t)
	host := i.Site(network.SiteOptions{IPv6: true}).NewHost()
	c := host.Capture()
	at := map[string]netip.AddrPort{}
	for _, family := range []struct {
		network string
		addr    netip.Addr
	}{{"udp4", i.Addr}, {"udp6", i.Addr6}} {
		var server *net.UDPConn
		var err error
		i.Do(func() {
			server, err = net.ListenUDP(family.network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(family.addr, 0)))
		})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		to, client := server.LocalAddr().(*net.UDPAddr).AddrPort(), socket(t, host.Namespace, family.network)
		at[family.network] = to
		for range 3 {
			if _, err := client.WriteToUDPAddrPort([]byte("?"), to); err != nil {
				t.Fatal(err)
			}
		}
		from, ok := receive(t, server, deadline)
		if !ok {
			t.Fatalf("%s: nothing came", to)
		}
		if _, err := server.WriteToUDPAddrPort([]byte("!"), from); err != nil {
			t.Fatal(err)
		}
		if _, ok := receive(t, client, deadline); !ok {
			t.Fatal("no answer came")
		}
		if _, err := client.WriteToUDPAddrPort([]byte("within"), netip.AddrPortFrom(netip.MustParseAddr(map[string]string{"udp4": "127.0.0.1", "udp6": "::1"}[family.network]), 9)); err != nil {
			t.Fatal(err)
		}
	}
	var l net.Listener
	var err error
	i.Do(func() { l, err = net.Listen("tcp4", net.JoinHostPort(i.Addr.String(), "0")) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host.Do(func() {
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp4", l.Addr().String(), deadline); err == nil {
			err = conn.Close()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	flows := c.Flows()
	for _, family := range []string{"udp4", "udp6"} {
		if f := (network.Flow{Protocol: "udp", To: at[family]}); flows[f] != 3 {
			t.Errorf("%s: %d packets, want 3", f, flows[f])
		}
	}
	tcp := network.Flow{Protocol: "tcp", To: l.Addr().(*net.TCPAddr).AddrPort()}
	if flows[tcp] < 2 { // there are at least a SYN and an ACK
		t.Errorf("%s: %d packets", tcp, flows[tcp])
	}
	for f := range flows {
		if f != tcp && f.To != at["udp4"] && f.To != at["udp6"] && !f.OfKernel() {
			t.Errorf("captured as well: %s", f)
		}
	}
	if t.Failed() {
		t.Log(network.List(flows))
	}
}
