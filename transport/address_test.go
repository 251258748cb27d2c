package transport

import (
	"net"
	"net/netip"
	"testing"
)

func TestAmong(t *testing.T) {
	prefix := func(text string) net.Addr {
		ip, n, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	all := []net.Addr{prefix("127.0.0.1/8"), prefix("192.0.2.7/24"), prefix("fe80::1/64"), prefix("2001:db8::5/64")}
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.2": true, "192.0.2.7": true, "192.0.2.8": false, "198.51.100.1": false, "fe80::1": true, "fe80::2": false,
		"2001:db8::5": true, "2001:db8::6": false, "::1": false,
	} {
		if got := among(netip.MustParseAddr(text), all); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
