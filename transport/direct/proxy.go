package direct

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"time"
)

// A Proxy is one at which two ends that connect to it are joined (XEP-0065).
type Proxy struct {
	Host string
	Port uint16
	Name StreamName
	// Activate has it join the two, once both are there.
	Activate func(ctx context.Context) error
}

const (
	// maxHostBytes is the longest name of a host (RFC 1035, 2.3.4).
	maxHostBytes = 253
	// maxProxyAddrs is how many addresses of a proxy are tried.
	maxProxyAddrs = 4
	// lookupWithin is how long its name is looked up.
	lookupWithin = 3 * time.Second
)

// hostName is a name of labels (RFC 1123, 2.1).
var hostName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9][A-Za-z0-9_-]{0,62})*\.?$`)

// validHost tells whether a host may be one: a name, or an address without a zone.
func validHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" || len(host) <= maxHostBytes && hostName.MatchString(host)
}

var errNoAddress = errors.New("its proxy has no address that we would connect to")

// reach connects to a proxy, ours or the peer's, for a stream.
func (l *Link) reach(ctx context.Context, host string, port uint16, name StreamName) (net.Conn, error) {
	lookup, cancel := context.WithTimeout(ctx, lookupWithin)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(lookup, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	own := ownNetworks()
	err = errNoAddress
	tried := 0
	for _, addr := range addrs {
		if addr = addr.Unmap(); tried == maxProxyAddrs || !l.mayConnect(addr, own) {
			continue
		}
		tried++
		var conn net.Conn
		if conn, err = dialProxy(ctx, netip.AddrPortFrom(addr, port), name); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// mayConnect tells whether a proxy may be at an address: nobody gets us to look for open ports on a network of ours. It may be in the Internet, or where our own server is; on
// this machine, if both ends may be on it.
func (l *Link) mayConnect(addr netip.Addr, own []netip.Prefix) bool {
	switch {
	case !addr.IsValid(), addr.Zone() != "", addr.IsUnspecified(), addr.IsMulticast(), addr.IsLinkLocalUnicast():
		return false
	case addr.IsLoopback():
		return l.cfg.Loopback
	case l.cfg.AtServer != nil && l.cfg.AtServer(addr):
		return true
	}
	for _, network := range append(own, private...) {
		if network.Contains(addr) {
			return false
		}
	}
	return true
}

// private are networks that aren't the Internet, or may lead to one that isn't (RFC 6890, RFC 3056, RFC 4380, RFC 6052).
var private = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fec0::/10"),
}

// ownNetworks are those that this machine is on.
func ownNetworks() (own []netip.Prefix) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")} // who knows
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				bits, _ := n.Mask.Size()
				own = append(own, netip.PrefixFrom(addr.Unmap(), bits).Masked())
			}
		}
	}
	return own
}
