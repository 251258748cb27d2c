package integration

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"git-remote-xmpp/integration/network"
	"git-remote-xmpp/integration/testserver"
)

const (
	// delayRounds is how many rounds the benchmark with delays makes.
	delayRounds = 7
	// oneWay is how far Alice and Bob are from each other, where they are.
	oneWay = 50 * time.Millisecond
	// settle is how long after a push or a login something may still be on its way, such as the last acknowledgements.
	settle = 6 * oneWay
)

// BenchmarkDelay measures what a push of one small commit costs, and a look at the refs, by ways to connect, between machines that are near to and far from
// each other. It prints a table as BenchmarkServers does.
func BenchmarkDelay(b *testing.B) {
	var rows []*benchRow
	for _, delay := range []time.Duration{0, oneWay} {
		n := network.New(b, network.Options{Delay: delay})
		ssh := newDelaySSH(b, n).rows(fmt.Sprintf("%d ms", delay.Milliseconds()))
		rows = append(rows, ssh...)
		for _, name := range testserver.XMPP {
			server := testserver.New(b, name, testserver.Options{Place: testserver.Place{Host: n.AddrB.String(), Enter: n.B.Do}})
			rows = append(rows, newDelayPair(b, n.A, n.B, server).rows(fmt.Sprintf("%d ms, %s beside bob", delay.Milliseconds(), name), ssh)...)
		}
		if delay > 0 {
			server := testserver.New(b, testserver.Prosody, testserver.Options{SASL2: true, Place: testserver.Place{Host: n.AddrB.String(), Enter: n.B.Do}})
			cold := newDelayPair(b, n.A, n.B, server).rows(fmt.Sprintf("%d ms, prosody that gives tokens, beside bob", delay.Milliseconds()), ssh)
			rows = append(rows, cold[len(cold)-1])
			rows = append(rows, newDelayMiddle(b, delay).rows(fmt.Sprintf("%d ms, prosody half way", delay.Milliseconds()), ssh)...)
		}
	}
	benchReport(b, "delay", rows, delayRounds, "One small commit. The delay is that in each direction.\nratio: median of the ratios, each within a round.")
}

// A delayPair is Bob, who serves a repository, and Alice, who pushes to it from another network, with an agent or without.
type delayPair struct {
	pusher *benchPusher // Alice's
	from   *network.Namespace
	hers   string  // a repository of Alice's
	agent  *daemon // her serve, or nil
}

// newDelayPair has Alice and Bob meet at a server that both reach at its address.
func newDelayPair(b *testing.B, from, to *network.Namespace, s *testserver.Server) *delayPair {
	b.Helper()
	return pairOf(newHome(b, s, "Alice", "alice"), newHome(b, s, "Bob", "bob"), from, to)
}

// newDelayMiddle has them meet at a server half way between them.
func newDelayMiddle(b *testing.B, delay time.Duration) *delayPair {
	b.Helper()
	from, middle, to := network.NewNamespace(b), network.NewNamespace(b), network.NewNamespace(b)
	half := network.Options{Delay: delay / 2}
	toAlice, toBob := network.Connect(b, middle, from, half), network.Connect(b, middle, to, half)
	s := testserver.New(b, testserver.Prosody, testserver.Options{Place: testserver.Place{Host: netip.IPv4Unspecified().String(), Enter: middle.Do}})
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		b.Fatal(err)
	}
	at := func(h *home, link *network.Link) *home {
		h.git(h.dir, "config", "--global", "xmpp.server", net.JoinHostPort(link.AddrA.String(), port))
		return h
	}
	return pairOf(at(newHome(b, s, "Alice", "alice"), toAlice), at(newHome(b, s, "Bob", "bob"), toBob), from, to)
}

func pairOf(alice, bob *home, from, to *network.Namespace) *delayPair {
	served := bob.newBenchRepo("proj", benchSmallBytes)
	var url string
	to.Do(func() {
		bob.serve(served)
		url = bob.xmpp(served, "invite")
	})
	p := &delayPair{from: from, hers: alice.newRepo("hers")}
	from.Do(func() { p.pusher = alice.newBenchPusher(url, served) })
	return p
}

// rows are measured in this order.
func (p *delayPair) rows(over string, ssh []*benchRow) []*benchRow {
	row := func(name string, against *benchRow, measure func() time.Duration) *benchRow {
		return &benchRow{over: over, name: name, against: []*benchRow{against}, measure: func() (took time.Duration) {
			p.from.Do(func() { took = measure() })
			return took
		}}
	}
	return []*benchRow{
		row("through the agent, without a connection", ssh[0], func() time.Duration {
			p.stopAgent()
			p.agent = p.pusher.serve(p.hers)
			time.Sleep(settle)
			return p.push()
		}),
		row("through the agent, with a connection", ssh[1], func() time.Duration {
			p.push()
			time.Sleep(settle)
			return p.push()
		}),
		row("ls-remote through the agent, with a connection", ssh[2], func() time.Duration {
			time.Sleep(settle)
			return p.pusher.list()
		}),
		row("through an agent that was killed", ssh[0], func() time.Duration {
			p.agent.kill()
			time.Sleep(settle)
			return p.push()
		}),
		row("without an agent", ssh[0], func() time.Duration {
			p.stopAgent()
			return p.push("-c", "xmpp.agent=never")
		}),
	}
}

func (p *delayPair) push(options ...string) time.Duration {
	return p.pusher.push(benchSmallBytes, options...)
}

func (p *delayPair) stopAgent() {
	if p.agent != nil {
		p.agent.kill()
		p.agent = nil
	}
}
