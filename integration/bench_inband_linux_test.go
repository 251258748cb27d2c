package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"git-remote-xmpp/integration/network"
	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
)

const (
	inBandRounds = 3
	// inBandBytes is how much is sent each way, unless BENCH_INBAND_BYTES says otherwise, and inBandPatience how long that may take.
	inBandBytes    = 8 << 20
	inBandPatience = 3 * time.Minute
	// From inBandFar on inBandMore times as much is sent one way: a few seconds' worth.
	inBandFar  = 100 * time.Millisecond
	inBandMore = 2.5
)

// inBandDelays are between each client and the server, in each direction.
var inBandDelays = []time.Duration{0, 25 * time.Millisecond, 100 * time.Millisecond}

// BenchmarkInBand measures the rate of a stream beside what bare messages reach with the best of some windows, by the distance of both clients from the server, and both ways
// at once.
func BenchmarkInBand(b *testing.B) {
	least := int(number(b, "BENCH_INBAND_BYTES", inBandBytes))
	all := benchRandom(int(float64(least) * inBandMore))
	data := func(delay time.Duration) []byte {
		if delay < inBandFar {
			return all[:least]
		}
		return all
	}
	var rows []*benchRow
	for _, delay := range inBandDelays {
		rows = append(rows, inBandSSH(b, delay, data(delay)))
	}
	for _, name := range testserver.XMPP {
		for _, delay := range inBandDelays {
			rows = append(rows, newInBand(b, name, delay, data(delay), all[:least]).rows()...)
		}
	}
	benchReport(b, "inband", rows, inBandRounds, fmt.Sprintf(
		"%d bytes of random data from Alice to Bob, %d from %d ms on, or %d from each to the other. The delay is that between each of them and the server, in each direction.\n"+
			"Bare messages are those of the best shape and window of a few. ratio: median of the ratios, each within a round.", least, len(all), inBandFar.Milliseconds(), least))
}

// An inBand is Alice and Bob, each so far from a server.
type inBand struct {
	b           *testing.B
	hers, his   benchSeat
	delay       time.Duration
	data        []byte // that goes one way
	least       []byte // that goes each way at once
	stream      *benchStream
	begun       int // connections that were begun for one transfer
	over, curve string
}

// newInBand connects both, and has each send the other something, by which QUIC knows how much may be on its way.
func newInBand(b *testing.B, name string, delay time.Duration, data, least []byte) *inBand {
	b.Helper()
	i := &inBand{b: b, delay: delay, data: data, least: least, over: fmt.Sprintf("%d ms, %s", delay.Milliseconds(), name), curve: name}
	if delay == 0 {
		s := benchServer(b, name, testserver.Options{})
		i.hers, i.his = benchSeat{s, "alice"}, benchSeat{s, "bob"}
	} else {
		i.hers, i.his = farSeats(b, name, testserver.Options{}, network.Options{Delay: delay})
	}
	i.stream = newBenchStreamAt(b, i.hers, i.his, data)
	i.stream.patience = inBandPatience
	each := i.bothStream()
	for _, ends := range [][2]*transport.Conn{{each.from, each.to}, {each.to, each.from}} {
		if _, err := each.send(ends[0], ends[1]); err != nil {
			b.Fatalf("%s: %v", i.over, err)
		}
	}
	return i
}

// bothStream is the same connection, for what each sends at once.
func (i *inBand) bothStream() *benchStream {
	return &benchStream{tb: i.b, from: i.stream.from, to: i.stream.to, data: i.least, patience: inBandPatience}
}

// fresh sends by a new connection, and sessions of their own.
func (i *inBand) fresh() time.Duration {
	i.begun++
	s := newBenchStreamAt(i.b, i.hers, i.his, i.data, func(c *transport.Config) { c.Resource += strconv.Itoa(i.begun) })
	defer s.from.Close(0)
	s.patience = inBandPatience
	return s.transfer()
}

// farSeats are Alice's and Bob's, each behind such a link to a server.
func farSeats(b *testing.B, name string, o testserver.Options, link network.Options) (hers, his benchSeat) {
	b.Helper()
	middle := network.NewNamespace(b)
	o.Place = testserver.Place{Host: netip.IPv4Unspecified().String(), Enter: middle.Do}
	alices, bobs := network.NewNamespace(b), network.NewNamespace(b)
	toAlice, toBob := network.Connect(b, middle, alices, link), network.Connect(b, middle, bobs, link)
	s := benchServer(b, name, o)
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		b.Fatal(err)
	}
	seat := func(user string, n *network.Namespace, l *network.Link) benchSeat {
		return benchSeat{serverAt(s, newDoorway(b, n, net.JoinHostPort(l.AddrA.String(), port))), user}
	}
	return seat("alice", alices, toAlice), seat("bob", bobs, toBob)
}

// serverAt is a server as somebody knows it who reaches it at another address.
func serverAt(s *testserver.Server, addr string) *testserver.Server {
	return &testserver.Server{Name: s.Name, Addr: addr, CAFile: s.CAFile, Domain: s.Domain, Accounts: s.Accounts}
}

// rows are measured in this order.
func (i *inBand) rows() []*benchRow {
	shape := i.bestShape()
	size, least := len(i.data), len(i.least)
	row := func(name string, bytes int, against *benchRow, measure func() time.Duration) *benchRow {
		r := &benchRow{over: i.over, name: name, bytes: bytes, measure: measure, curve: i.curve + ", " + name, x: float64(i.delay.Milliseconds())}
		if against != nil {
			r.against = []*benchRow{against}
		}
		return r
	}
	bare := row("bare messages", size, nil, func() time.Duration { return i.bare(shape, i.data, false)[0] })
	bare.name = shape.String()
	ours := row("one QUIC stream", size, bare, i.stream.transfer)
	fresh := row("one QUIC stream on a new connection", size, bare, i.fresh)
	both := row("bare messages, both ways at once", 2*least, nil, func() time.Duration { return longer(i.bare(shape, i.least, true)) })
	var took [2]time.Duration
	oursBoth := row("a QUIC stream each way at once", 2*least, both, func() time.Duration {
		took = i.bothStream().bothWays()
		return longer(took)
	})
	return []*benchRow{
		bare, ours, fresh, both, oursBoth,
		row("of these, from Alice to Bob", least, nil, func() time.Duration { return took[0] }),
		row("of these, from Bob to Alice", least, nil, func() time.Duration { return took[1] }),
	}
}

func longer(took [2]time.Duration) time.Duration { return max(took[0], took[1]) }

// bestShape is what carries most here, by one try each: of the shapes that do best near the server, with windows from one for a near server to more than is on its way
// to a far one.
func (i *inBand) bestShape() (best bareShape) {
	windows := []int{bareWindowBytes, 1 << 20}
	if i.delay > 0 {
		windows = []int{1 << 20, 4 << 20, 16 << 20}
	}
	padTo := 0
	if i.hers.server.Name == testserver.Prosody {
		padTo = bareMaxBytes
	}
	var shortest time.Duration
	for _, window := range windows {
		shape := bareShape{bareMaxPayloadBytes, padTo, window}
		if took := i.bare(shape, i.least, false)[0]; shortest == 0 || took < shortest {
			best, shortest = shape, took
		}
	}
	return best
}

// bare sends data as bare messages, from Alice to Bob and maybe from Bob to Alice at the same time.
func (i *inBand) bare(shape bareShape, data []byte, both bool) [2]time.Duration {
	ctx, cancel := context.WithTimeout(i.b.Context(), inBandPatience)
	defer cancel()
	var ends [2]*bareClient
	for n, seat := range []benchSeat{i.hers, i.his} {
		ends[n] = bareJoin(ctx, i.b, seat.server, seat.user)
	}
	back := 0
	if both {
		back = len(data)
	}
	took, err := bareExchange(ends[0], ends[1], shape, len(data), back)
	if err := errors.Join(err, ends[0].close(), ends[1].close()); err != nil {
		i.b.Fatalf("%s: %v: %v", i.over, shape, err)
	}
	return took
}
