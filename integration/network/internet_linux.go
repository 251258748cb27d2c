package network

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// NAT is how a site's router translates addresses (RFC 4787).
type NAT int

const (
	// NoNAT gives the hosts of a site addresses of the Internet's.
	NoNAT NAT = iota
	// ConeNAT keeps a port wherever it leads to, so that two sites can reach each other once both have sent.
	ConeNAT
	// SymmetricNAT takes another port for each destination, which nobody can guess.
	SymmetricNAT
)

// SiteOptions say what a site's connection to the Internet is like.
type SiteOptions struct {
	NAT   NAT
	Delay time.Duration // of each packet between the router and the Internet, in each direction
	MTU   int           // of the connection; 0 is 1,500 bytes. Not with a delay.
	Rate  int           // bits per second, each way; 0 is no limit. Not with a delay.
	IPv6  bool          // the hosts have addresses of both families
	Open  bool          // anybody may begin to talk to the hosts, which takes NoNAT
	Rules string        // of the router's, for what it forwards, in nft(8)'s words: "meta l4proto udp drop"
}

// An Internet is a network in which sites reach each other by routers, and servers at its address.
type Internet struct {
	*Namespace
	// Addr is the address of servers, which are to be run in the namespace. Addr6 is another one.
	Addr, Addr6 netip.Addr

	sites int
}

// A Site is a router, which joins hosts to the Internet. Nobody outside can begin to talk to them, unless it is open.
type Site struct {
	Router *Namespace

	number int
	hosts  int
	o      SiteOptions
}

// A Host is a machine at a site.
type Host struct {
	*Namespace
	Addr netip.Addr

	cables  int
	device  string // that leads to the present site
	gateway netip.Addr
}

// NewInternet makes an Internet without sites, which is gone with the test.
func NewInternet(tb testing.TB) *Internet {
	tb.Helper()
	i := &Internet{Namespace: NewNamespace(tb), Addr: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Addr6: netip.MustParseAddr("2001:db8::1")}
	i.forwards()
	i.ip("address add "+i.Addr.String()+"/32 dev lo", "address add "+i.Addr6.String()+"/128 dev lo nodad",
		// What leads nowhere vanishes, without a word.
		"link add name void type veth peer name nobody", "link set dev nobody up", "link set dev void arp off up", "route add default dev void")
	return i
}

// outer and inner are the networks of a site: towards the Internet, and of its k-th host.
func (s *Site) outer(end int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 51, 100, byte(4*s.number + end)})
}

func (s *Site) inner(host, end int) netip.Addr {
	if s.o.NAT == NoNAT {
		return netip.AddrFrom4([4]byte{203, 0, 113, byte(32*s.number + 4*host + end)})
	}
	return netip.AddrFrom4([4]byte{192, 168, byte(s.number), byte(4*host + end)})
}

func (s *Site) outer6(end int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:ff:%x::%x", s.number, end))
}

func (s *Site) inner6(host, end int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::%x", s.number, host, end))
}

const (
	wan         = "wan" // the router's device that leads to the Internet
	ethernetMTU = 1500  // bytes
)

// Site joins a new site, of at most 7, to the Internet.
func (i *Internet) Site(o SiteOptions) *Site {
	i.tb.Helper()
	i.sites++
	s := &Site{Router: NewNamespace(i.tb), number: i.sites, o: o}
	s.Router.forwards()
	device := fmt.Sprintf("site%d", s.number)
	near, far := netip.PrefixFrom(s.outer(1), 30), netip.PrefixFrom(s.outer(2), 30)
	if o.Delay > 0 {
		connect(i.tb, end{i.Namespace, device, near.Addr()}, end{s.Router, wan, far.Addr()}, o.Delay)
	} else {
		connectWire(wireEnd{i.Namespace, device, []netip.Prefix{near, netip.PrefixFrom(s.outer6(1), 64)}},
			wireEnd{s.Router, wan, []netip.Prefix{far, netip.PrefixFrom(s.outer6(2), 64)}}, cmp.Or(o.MTU, ethernetMTU))
		s.Router.ip6("route add default via " + s.outer6(1).String())
		i.ip6(fmt.Sprintf("route add 2001:db8:%x::/48 via %s", s.number, s.outer6(2)))
	}
	s.Router.ip("route add default via " + near.Addr().String())
	if o.NAT == NoNAT {
		i.ip(fmt.Sprintf("route add %s/27 via %s", s.inner(0, 0), far.Addr()))
	}
	if o.Rate > 0 {
		i.limit(device, o.Rate)
		s.Router.limit(wan, o.Rate)
	}
	s.Router.nft(s.firewall(o.Rules))
	return s
}

// firewall is the router's: nothing comes in that wasn't asked for, and an answer is no answer to who asks unasked.
func (s *Site) firewall(rules string) string {
	masquerade := map[NAT]string{NoNAT: "", ConeNAT: "masquerade", SymmetricNAT: "masquerade random,fully-random"}[s.o.NAT]
	if masquerade != "" {
		masquerade = fmt.Sprintf("oifname %q %s", wan, masquerade)
	}
	return strings.NewReplacer("$unasked", s.unasked(), "$wan", fmt.Sprintf("%q", wan), "$rules", rules, "$masquerade", masquerade).Replace(`
flush ruleset
table inet filter {
	chain forward {
		type filter hook forward priority 0;
		$unasked
		$rules
	}
	chain input {
		type filter hook input priority 0;
		iifname $wan ct state new meta l4proto != ipv6-icmp drop
	}
}
table ip nat {
	chain post {
		type nat hook postrouting priority 100;
		$masquerade
	}
}
`)
}

// unasked is the rule for what somebody outside begins.
func (s *Site) unasked() string {
	if s.o.Open {
		return ""
	}
	return "iifname \"" + wan + "\" ct state new drop"
}

// SetRules takes other rules than SiteOptions' for what the router forwards from now on, for what it had let through before as well.
func (s *Site) SetRules(rules string) {
	s.Router.tb.Helper()
	s.Router.nft("flush chain inet filter forward\n" + prefixed("add rule inet filter forward ", s.unasked()+"\n"+rules))
}

func prefixed(prefix, lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(prefix + line + "\n")
		}
	}
	return b.String()
}

// NewHost makes a machine at a site, of at most 7.
func (s *Site) NewHost() *Host {
	s.Router.tb.Helper()
	h := &Host{Namespace: NewNamespace(s.Router.tb)}
	h.join(s)
	return h
}

// join puts a cable between a host and a site's router.
func (h *Host) join(s *Site) {
	h.tb.Helper()
	s.hosts++
	h.cables++
	h.device = fmt.Sprintf("eth%d", h.cables)
	near, far := netip.PrefixFrom(s.inner(s.hosts, 1), 30), netip.PrefixFrom(s.inner(s.hosts, 2), 30)
	ends := [2]wireEnd{{s.Router, fmt.Sprintf("lan%d", s.hosts), []netip.Prefix{near}}, {h.Namespace, h.device, []netip.Prefix{far}}}
	if s.o.IPv6 {
		ends[0].addresses = append(ends[0].addresses, netip.PrefixFrom(s.inner6(s.hosts, 1), 64))
		ends[1].addresses = append(ends[1].addresses, netip.PrefixFrom(s.inner6(s.hosts, 2), 64))
	}
	connectWire(ends[0], ends[1], ethernetMTU)
	if s.o.Rules != "" {
		h.ip("link set dev " + h.device + " gso_max_segs 1") // or a rule would be for many packets of TCP's at once
	}
	h.ip("route replace default via " + near.Addr().String())
	if s.o.IPv6 {
		h.ip6("route replace default via " + s.inner6(s.hosts, 1).String())
	}
	h.Addr, h.gateway = far.Addr(), near.Addr()
}

// SetCongestionControl has TCP use an algorithm that the kernel knows, for connections that the host begins from now on.
func (h *Host) SetCongestionControl(algorithm string) {
	h.tb.Helper()
	h.ip("route replace default via " + h.gateway.String() + " congctl " + algorithm)
}

// MoveTo takes the host to another site, as from a wireless LAN to a mobile network: it has other addresses, and those of before are gone.
func (h *Host) MoveTo(s *Site) {
	h.tb.Helper()
	h.ip("link delete dev " + h.device)
	h.join(s)
}
