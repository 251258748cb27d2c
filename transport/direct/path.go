package direct

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

const (
	// What goes over a path begins with a byte that tells it from STUN (RFC 9443): a short-header packet of QUIC as it is, or one of these.
	frameProbe    = 0x20
	frameAnswer   = 0x21
	framePartOne  = 0x22
	framePartTwo  = 0x23
	frameNumbered = 0x24
	frameAsk      = 0x25

	quicMask, quicShort = 0xc0, 0x40

	// maxDatagramBytes is the largest datagram: over IPv6 it fills an MTU of 1,500.
	maxDatagramBytes = 1452
	// MaxPacketBytes is the largest packet that a path carries.
	MaxPacketBytes = maxDatagramBytes - numberedHeader
	// wholeBytes is the largest packet that every path carries in one datagram: IPv6 demands an MTU of 1,280.
	wholeBytes = 1180

	// maxLocalCandidates, and maxRemoteCandidates, are how many each side has in a generation.
	maxLocalCandidates  = 16
	maxRemoteCandidates = 16
)

// A path is one try to reach the peer: what ICE calls a generation, from the gathering of candidates on.
type path struct {
	link       *Link
	generation uint32
	began      time.Time
	agent      *ice.Agent
	ufrag, pwd string
	tasks      sync.WaitGroup
	locals     atomic.Int32 // candidates that the peer was told
	remotes    int

	// Once the peer's credentials are there.
	conn   *ice.Conn
	sealer sealer
	tagger tagger
	sender sender

	connected atomic.Bool // ICE has found a pair
	whole     atomic.Bool // the largest packets fit in one datagram
	number    atomic.Uint32
	asks      atomic.Uint64
	trip      atomic.Int64
	long      atomic.Bool
	hold      atomic.Int64 // how long acknowledgements wait
	halves    sync.Pool    // of *[wholeBytes]byte

	mu          sync.Mutex
	small, full tracker
}

// newPath begins to gather candidates.
func newPath(l *Link, generation uint32, servers []Server) (*path, error) {
	agent, err := newAgent(l, servers)
	if err != nil {
		return nil, err
	}
	p := &path{link: l, generation: generation, began: time.Now(), agent: agent}
	p.halves.New = func() any { return new([wholeBytes]byte) }
	if err := p.begin(); err != nil {
		_ = agent.GracefulClose()
		return nil, err
	}
	return p, nil
}

func (p *path) begin() (err error) {
	if p.ufrag, p.pwd, err = p.agent.GetLocalUserCredentials(); err != nil {
		return err
	}
	changed := func(s ice.ConnectionState) {
		p.connected.Store(s == ice.ConnectionStateConnected)
		p.link.poke()
	}
	if err := errors.Join(p.agent.OnCandidate(p.found), p.agent.OnConnectionStateChange(changed)); err != nil {
		return err
	}
	p.link.say(signal{kind: signalStart, generation: p.generation, ufrag: p.ufrag, pwd: p.pwd})
	return p.agent.GatherCandidates()
}

// found tells the peer of a candidate of ours. Nothing is said of where it leads behind a NAT.
func (p *path) found(c ice.Candidate) {
	if c == nil || p.locals.Add(1) > maxLocalCandidates {
		return
	}
	addr, err := netip.ParseAddr(c.Address())
	if err != nil {
		return
	}
	told := candidate{priority: c.Priority(), addr: netip.AddrPortFrom(addr.Unmap(), uint16(c.Port()))}
	switch {
	case c.Type() == ice.CandidateTypeRelay:
		told.kind = kindRelay
	case p.link.cfg.RelayOnly:
		return
	case c.Type() == ice.CandidateTypeServerReflexive:
		told.kind = kindServerReflexive
	}
	p.link.say(signal{kind: signalCandidate, generation: p.generation, candidate: told})
}

// meet takes the peer's credentials, and begins to look for a pair that works.
func (p *path) meet(s signal) (err error) {
	if p.conn != nil {
		return fmt.Errorf("%w: a second start", errSignal)
	}
	if p.link.cfg.Controlling {
		p.conn, err = p.agent.StartDial(s.ufrag, s.pwd)
	} else {
		p.conn, err = p.agent.StartAccept(s.ufrag, s.pwd)
	}
	if err != nil {
		return err
	}
	p.sealer = newSealer(p.link.cfg.Controlling, p.pwd, s.pwd)
	if p.tagger, err = newTagger(p.sealer); err != nil {
		return err
	}
	p.tasks.Go(p.read)
	return nil
}

// add takes a candidate of the peer's.
func (p *path) add(c candidate) error {
	if p.remotes++; p.remotes > maxRemoteCandidates || !c.reachable(p.link.cfg.Loopback) {
		return nil
	}
	network := "udp4"
	if c.addr.Addr().Is6() {
		network = "udp6"
	}
	remote, err := iceCandidate(c, network)
	if err != nil {
		return err
	}
	return p.agent.AddRemoteCandidate(remote)
}

func iceCandidate(c candidate, network string) (ice.Candidate, error) {
	address, port := c.addr.Addr().String(), int(c.addr.Port())
	switch c.kind {
	case kindRelay:
		return ice.NewCandidateRelay(&ice.CandidateRelayConfig{Network: network, Address: address, Port: port, Component: ice.ComponentRTP, Priority: c.priority})
	case kindServerReflexive:
		return ice.NewCandidateServerReflexive(&ice.CandidateServerReflexiveConfig{Network: network, Address: address, Port: port, Component: ice.ComponentRTP, Priority: c.priority})
	}
	return ice.NewCandidateHost(&ice.CandidateHostConfig{Network: network, Address: address, Port: port, Component: ice.ComponentRTP, Priority: c.priority})
}

// close ends all that belongs to the path, and waits for it.
func (p *path) close() {
	_ = p.agent.GracefulClose() // its errors are those of sockets that are gone already
	p.tasks.Wait()
}

// write sends a packet of QUIC. What the network doesn't take is lost.
func (p *path) write(packet []byte) {
	hold := time.Duration(p.hold.Load())
	if hold == 0 || len(packet) > ackBytes {
		p.sender.send(p.tagger, packet, p.writeDatagram)
		return
	}
	packet = bytes.Clone(packet)
	p.tasks.Add(1)
	time.AfterFunc(hold, func() {
		defer p.tasks.Done()
		p.sender.send(p.tagger, packet, p.writeDatagram)
	})
}

// ackBytes is the most that an acknowledgement has.
const ackBytes = 128

// holdAcks has acknowledgements wait for a small part of the round trip while packets that were lost are sent again. QUIC takes a packet for lost that is acknowledged after
// two round trips, which is just what it takes to ask for it and to get it: as it seems a bit longer to QUIC, that suffices.
func (p *path) holdAcks(m *misser) {
	hold := time.Duration(0)
	if s := p.strain(); m.hides(s) && (m.lost > 0 || m.loss > minLoss) {
		hold = s.trip / 12
	}
	p.hold.Store(int64(min(hold, maxHold)))
}

const (
	minLoss = 0.001
	maxHold = 20 * time.Millisecond
)

// writeDatagram sends a datagram, in halves if it might not fit.
func (p *path) writeDatagram(b []byte) {
	if len(b) <= wholeBytes || p.whole.Load() {
		_, _ = p.conn.Write(b)
		return
	}
	number, middle := uint16(p.number.Add(1)), len(b)/2
	buf := p.halves.Get().(*[wholeBytes]byte)
	_, _ = p.conn.Write(appendPart(buf[:0], framePartOne, number, b[:middle]))
	_, _ = p.conn.Write(appendPart(buf[:0], framePartTwo, number, b[middle:]))
	p.halves.Put(buf)
}

// read takes what comes until the path is closed.
func (p *path) read() {
	var joined joiner
	missing := misser{ask: p.ask}
	waits := false // for what is missing
	buf := make([]byte, 2*maxDatagramBytes)
	for {
		n, err := p.conn.Read(buf)
		var timeout net.Error
		if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			return
		}
		b := buf[:n]
		switch {
		case n == 0 || n > maxDatagramBytes:
		case b[0] == frameProbe:
			p.echo(b, &missing)
		case b[0] == frameAnswer:
			p.echoed(b)
		case b[0] == frameAsk:
			p.asked(b)
		case b[0] == framePartOne || b[0] == framePartTwo:
			if whole, ok := joined.join(b); ok && whole[0] == frameNumbered {
				p.take(whole, &missing)
			}
		case b[0] == frameNumbered:
			p.take(b, &missing)
		}
		if err != nil || len(missing.missing) > 0 && !waits {
			wait := missing.look(time.Now(), p.strain())
			if waits = wait > 0; waits {
				_ = p.conn.SetReadDeadline(time.Now().Add(wait)) // fails only on a closed path, as the read does
			} else {
				_ = p.conn.SetReadDeadline(time.Time{})
			}
		}
	}
}

// take hands a packet on.
func (p *path) take(b []byte, m *misser) {
	number, packet, ok := p.tagger.open(b)
	if !ok {
		return
	}
	if packet[0]&quicMask == quicShort {
		p.link.cfg.Receive(packet)
	}
	m.take(number, time.Now(), p.strain())
	p.holdAcks(m)
}

// ask asks the other end for packets that are missing.
func (p *path) ask(numbers []uint32) {
	buf := make([]byte, probeBytes+4*len(numbers))
	p.sealer.seal(buf, frameAsk, p.asks.Add(1), numbers)
	_, _ = p.conn.Write(buf) // as lost
}

// asked sends packets again.
func (p *path) asked(b []byte) {
	_, numbers, ok := p.sealer.open(b)
	if !ok || len(numbers) > maxAsked {
		return
	}
	for _, n := range numbers {
		p.sender.resend(n, p.writeDatagram)
	}
}

// relayed tells whether a TURN server carries the packets, as far as we know.
func (p *path) relayed() bool {
	pair, err := p.agent.GetSelectedCandidatePair()
	return err == nil && pair != nil && (pair.Local.Type() == ice.CandidateTypeRelay || pair.Remote.Type() == ice.CandidateTypeRelay)
}

// remoteAddr is where packets go.
func (p *path) remoteAddr() string {
	if p.conn == nil {
		return ""
	}
	if addr := p.conn.RemoteAddr(); addr != nil {
		return addr.String()
	}
	return ""
}

// interfaceAddrs are the addresses of this machine, as one string.
func interfaceAddrs() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var all strings.Builder
	for _, a := range addrs {
		all.WriteString(a.String() + " ")
	}
	return all.String()
}
