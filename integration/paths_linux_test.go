package integration

import (
	"cmp"
	"net"
	"testing"
	"time"

	"git-remote-xmpp/integration/network"
)

// Git doesn't notice where its bytes go: on each kind of network the best path is used that there is, for a push and for a clone.
func TestPaths(t *testing.T) {
	t.Parallel()
	const (
		inBand, direct, relayed, bytestream = "in-band", "direct", "relayed", "bytestream"
		blockUDP                            = "meta l4proto udp drop"
	)
	cone, symmetric := network.SiteOptions{NAT: network.ConeNAT}, network.SiteOptions{NAT: network.SymmetricNAT}
	with := func(o network.SiteOptions, change func(*network.SiteOptions)) network.SiteOptions {
		change(&o)
		return o
	}
	blocked := with(cone, func(o *network.SiteOptions) { o.Rules = blockUDP })
	far := with(cone, func(o *network.SiteOptions) {
		o.Delay, o.Rules = 25*time.Millisecond, "numgen random mod 200 == 0 drop"
	})
	report := newPathsReport(t)
	for _, c := range []struct {
		name       string
		his        network.SiteOptions
		hers       *network.SiteOptions
		path, then string              // by which the push goes, and then, and the clone after it, if it's another one
		only       func(p *pathsScene) // what changes before
		push       func(p *pathsScene) // what happens in its middle
		bytes      int                 // other than pathsPack
	}{
		{name: "same LAN", his: cone, path: direct},
		{name: "both behind cone NAT", his: cone, hers: &cone, path: direct},
		{name: "one symmetric", his: cone, hers: &symmetric, path: relayed},
		{name: "both symmetric", his: symmetric, hers: &symmetric, path: relayed},
		{name: "UDP blocked", his: cone, hers: &blocked, path: bytestream},
		{name: "all blocked but the server's port", his: cone, hers: &cone, path: inBand, bytes: inBandPack, only: func(p *pathsScene) { p.onlyXMPP(t) }},
		{name: "cut", his: cone, hers: &cone, path: direct, then: bytestream, push: func(p *pathsScene) { p.alices.SetRules(blockUDP) }},
		{name: "moves", his: cone, hers: &cone, path: direct, push: func(p *pathsScene) { p.at[p.alice].MoveTo(p.internet.Site(cone)) }},
		{name: "far and lossy", his: far, hers: &far, path: direct, bytes: inBandPack},
		{name: "MTU 1280", his: cone, hers: &network.SiteOptions{NAT: network.ConeNAT, MTU: 1280}, path: direct},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPathsScene(t, c.his, c.hers)
			if c.only != nil {
				c.only(p)
			}
			p.bytes = report.bytes(c.bytes)
			var middle func()
			if c.push != nil {
				middle = func() { c.push(p) }
			}
			then := cmp.Or(c.then, c.path)
			report.add(c.name, "push", p.bytes, p.push(t, middle).by(t, c.path).by(t, then))
			report.add(c.name, "clone", p.bytes, p.fetch(t).by(t, then))
		})
	}
}

// onlyXMPP lets Alice reach the server's port and nothing else.
func (p *pathsScene) onlyXMPP(t *testing.T) {
	t.Helper()
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	p.alices.SetRules("oifname \"wan\" tcp dport != " + port + " drop\noifname \"wan\" meta l4proto != tcp drop")
}
