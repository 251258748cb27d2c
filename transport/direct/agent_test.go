package direct

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/pion/transport/v5"
)

// interfaceOf is one with addresses.
func interfaceOf(t *testing.T, flags net.Flags, addrs ...string) *transport.Interface {
	t.Helper()
	i := transport.NewInterface(net.Interface{Flags: flags})
	for _, text := range addrs {
		ip, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		network.IP = ip
		i.AddAddress(network)
	}
	return i
}

// On a machine with many containers, candidates are of the networks that there are, and some are left for servers.
func TestManyInterfaces(t *testing.T) {
	const up, running = net.FlagUp, net.FlagUp | net.FlagRunning
	all := []*transport.Interface{interfaceOf(t, running|net.FlagLoopback, "127.0.0.1/8", "::1/128")}
	for n := range 12 { // networks without containers
		all = append(all, interfaceOf(t, up, fmt.Sprintf("172.%d.0.1/16", 17+n)))
	}
	for n := range 12 { // containers
		all = append(all, interfaceOf(t, running, fmt.Sprintf("fe80::%d/64", 1+n)))
	}
	all = append(all, interfaceOf(t, 0, "198.51.100.9/24"), interfaceOf(t, running, "192.0.2.7/24", "fe80::99/64", "2001:db8::7/64"))
	for loopback, want := range map[bool][]string{false: {"192.0.2.7/24", "2001:db8::7/64"}, true: {"127.0.0.1/8", "::1/128", "192.0.2.7/24", "2001:db8::7/64"}} {
		var got []string
		for _, i := range worthwhile(all, loopback) {
			addrs, _ := i.Addrs()
			for _, a := range addrs {
				got = append(got, a.String())
			}
		}
		if len(got) != maxAddresses || maxAddresses >= maxLocalCandidates {
			t.Errorf("%d addresses, of %d candidates", len(got), maxLocalCandidates)
		}
		if !slices.Equal(got[:len(want)], want) || slices.Contains(got, "198.51.100.9/24") {
			t.Errorf("loopback %v: %v", loopback, got)
		}
	}
}
