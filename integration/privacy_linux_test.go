package integration

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/network"
	"git-remote-xmpp/integration/testserver"
)

// A watchedPair is Bob and Alice, each at a site of their own with a serve that runs, and all packets that leave their hosts. The server in the Internet names a relay and a proxy.
type watchedPair struct {
	alice, bob    *home
	served, clone string
	serves        map[*home]*daemon
	site          map[*home]*network.Site
	at            map[*home]*network.Host
	left          map[*home]*network.Capture
	xmpp, turn    netip.AddrPort
}

// watchedOptions say how a watchedPair differs.
type watchedOptions struct {
	alices, bobs string // xmpp.directPath
	rules        string // of Alice's router
	turnOver     string // what the relay is named for besides UDP
	noTURN       bool   // the server doesn't name the relay
	noProxy      bool   // it has no proxy
	prepare      func(p *watchedPair, turn *testserver.TURNServer)
}

func newWatchedPair(t *testing.T, o watchedOptions) *watchedPair {
	t.Helper()
	i := network.NewInternet(t)
	place := testserver.Place{Host: i.Addr.String(), Enter: i.Do}
	turn := testserver.NewTURN(t, place)
	options := testserver.Options{Place: place, TURN: turn, TURNOver: o.turnOver, Proxy: !o.noProxy}
	if o.noTURN {
		options.TURN = nil
	}
	s := testserver.New(t, testserver.Prosody, options)
	p := &watchedPair{
		alice: newHome(t, s, "Alice", "alice"), bob: newHome(t, s, "Bob", "bob"), serves: map[*home]*daemon{}, site: map[*home]*network.Site{}, at: map[*home]*network.Host{}, left: map[*home]*network.Capture{},
		xmpp: netip.MustParseAddrPort(s.Addr), turn: netip.AddrPortFrom(i.Addr, uint16(turn.Port)),
	}
	p.served, p.clone = p.bob.newRepo("proj"), filepath.Join(p.alice.dir, "clone")
	for h, setting := range map[*home]string{p.alice: o.alices, p.bob: o.bobs} {
		h.git(h.dir, "config", "--global", "xmpp.directPath", setting)
		site := network.SiteOptions{NAT: network.ConeNAT, IPv6: true}
		if h == p.alice {
			site.Rules = o.rules
		}
		p.site[h] = i.Site(site)
		p.at[h] = p.site[h].NewHost()
		p.left[h] = p.at[h].Capture()
	}
	if o.prepare != nil {
		o.prepare(p, turn)
	}
	hers := p.alice.newRepo("hers")
	var invite string
	p.at[p.bob].Do(func() {
		p.serves[p.bob] = p.bob.serve(p.served)
		invite = p.bob.xmpp(p.served, "invite")
	})
	p.at[p.alice].Do(func() {
		p.alice.git(p.alice.dir, "clone", "--quiet", invite, p.clone)
		p.serves[p.alice] = p.alice.serve(hers)
	})
	return p
}

// exchange pushes and clones, by way of Alice's serve and without it.
func (p *watchedPair) exchange(t *testing.T) {
	t.Helper()
	for _, agent := range []string{"auto", "never"} {
		randomFile(t, filepath.Join(p.clone, "blob"), 1<<20)
		want := p.alice.commit(p.clone, agent)
		again := filepath.Join(p.alice.dir, agent)
		p.at[p.alice].Do(func() {
			p.alice.git(p.clone, "-c", "xmpp.agent="+agent, "push", "origin", "main:"+agent)
			p.alice.git(p.alice.dir, "-c", "xmpp.agent="+agent, "clone", "--quiet", "--branch", agent, "xmpp::bob@localhost/proj", again)
		})
		if got := p.alice.git(again, "rev-parse", "HEAD"); got != want {
			t.Errorf("cloned %s, want %s", got, want)
		}
	}
}

// only expects that nothing has left a host but what may. It returns how many of those packets went to XMPP's port.
func (p *watchedPair) only(t *testing.T, h *home, may func(network.Flow) bool) {
	t.Helper()
	flows := p.left[h].Flows()
	toServer := network.Flow{Protocol: "tcp", To: p.xmpp}
	if flows[toServer] == 0 {
		t.Errorf("%s: nothing went to the server: the test looks in the wrong place", h.name)
	}
	for flow, packets := range flows {
		if flow != toServer && !flow.OfKernel() && !may(flow) {
			t.Errorf("%s sent %d packets by %s", h.name, packets, flow)
		}
	}
}

// awaitPath waits until packets go as wanted from a home to the only peer.
func (h *home) awaitPath(t *testing.T, path string) {
	t.Helper()
	await(t, h.name+"'s packets to go "+path, func() bool {
		c := h.status().Connections
		return len(c) > 0 && strings.HasPrefix(c[0].Path, path)
	})
}

// Where one side's setting is never, nothing leaves either host but what goes to the server: no UDP, no question for a name, nothing to a relay or a proxy. Where both sides
// have auto, the same packets are seen to go directly.
func TestDirectPathNeverCaptured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ alices, bobs string }{{"never", "auto"}, {"auto", "never"}, {"auto", "auto"}} {
		t.Run(c.alices+" "+c.bobs, func(t *testing.T) {
			t.Parallel()
			p := newWatchedPair(t, watchedOptions{alices: c.alices, bobs: c.bobs})
			p.exchange(t)
			for _, h := range []*home{p.alice, p.bob} {
				if c.alices == c.bobs {
					await(t, "UDP from "+h.name, func() bool { return udpTo(p.left[h].Flows(), nil) > 0 })
					if n := udpTo(p.left[h].Flows(), func(a netip.AddrPort) bool { return a.Port() == 53 || a.Addr().IsMulticast() }); n != 0 {
						t.Errorf("%s asked for names: %s", h.name, network.List(p.left[h].Flows()))
					}
				} else {
					p.only(t, h, func(network.Flow) bool { return false })
				}
			}
		})
	}
}

// udpTo counts the packets of UDP, to addresses for which to is true if it is given.
func udpTo(flows map[network.Flow]int, to func(netip.AddrPort) bool) (packets int) {
	for flow, n := range flows {
		if flow.Protocol == "udp" && (to == nil || to(flow.To)) {
			packets += n
		}
	}
	return packets
}

// Who has packets relayed only sends to the TURN server, and the peer has no address of theirs to send to; nor do packets come back from the peer itself.
func TestRelayOnlyCaptured(t *testing.T) {
	t.Parallel()
	p := newWatchedPair(t, watchedOptions{alices: "relay", bobs: "auto"})
	p.at[p.alice].Do(func() { p.alice.git(p.clone, "ls-remote", "origin") })
	p.alice.awaitPath(t, "relayed")
	p.bob.awaitPath(t, "relayed")
	p.exchange(t)
	// What comes by a relay to a socket that is closed by then, a kernel answers by ICMP.
	p.only(t, p.alice, func(f network.Flow) bool {
		return f.To == p.turn || f.Protocol == "icmp" && f.To.Addr() == p.turn.Addr()
	})
	p.only(t, p.bob, func(f network.Flow) bool { return f.To.Addr() == p.turn.Addr() && f.Protocol != "tcp" })
	relay := network.Flow{Protocol: "udp", To: p.turn}
	if n := p.left[p.alice].Flows()[relay]; n < 1000 { // some 4 MB
		t.Errorf("%d packets went to the relay: %s", n, network.List(p.left[p.alice].Flows()))
	}
}
