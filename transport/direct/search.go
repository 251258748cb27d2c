package direct

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

// maxLocalCandidates, and maxRemoteCandidates, are how many each side has in a generation.
const (
	maxLocalCandidates  = 16
	maxRemoteCandidates = 16
)

// A search is one try to find a pair of addresses: what ICE calls a generation, from the gathering of candidates on.
type search struct {
	link       *Link
	generation uint32
	began      time.Time
	agent      *ice.Agent
	cancel     context.CancelFunc
	ufrag, pwd string
	locals     atomic.Int32 // candidates that the peer was told
	remotes    int
	connected  atomic.Bool // ICE has found a pair
	path       *path       // once the peer's credentials are there
}

// newSearch begins to gather candidates.
func newSearch(ctx context.Context, l *Link, generation uint32, servers []Server) (*search, error) {
	ctx, cancel := context.WithCancel(ctx)
	agent, err := newAgent(ctx, l, servers)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &search{link: l, generation: generation, began: time.Now(), agent: agent, cancel: cancel}
	if err := s.begin(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *search) begin() (err error) {
	if s.ufrag, s.pwd, err = s.agent.GetLocalUserCredentials(); err != nil {
		return err
	}
	changed := func(state ice.ConnectionState) {
		s.connected.Store(state == ice.ConnectionStateConnected)
		s.link.poke()
	}
	if err := errors.Join(s.agent.OnCandidate(s.found), s.agent.OnConnectionStateChange(changed)); err != nil {
		return err
	}
	s.link.say(signal{kind: signalStart, generation: s.generation, ufrag: s.ufrag, pwd: s.pwd})
	return s.agent.GatherCandidates()
}

// found tells the peer of a candidate of ours. Nothing is said of where it leads behind a NAT.
func (s *search) found(c ice.Candidate) {
	if c == nil || s.locals.Add(1) > maxLocalCandidates {
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
	case s.link.cfg.RelayOnly:
		return
	case c.Type() == ice.CandidateTypeServerReflexive:
		told.kind = kindServerReflexive
	}
	s.link.say(signal{kind: signalCandidate, generation: s.generation, candidate: told})
}

// meet takes the peer's credentials, and begins to look for a pair that works.
func (s *search) meet(start signal) error {
	if s.path != nil {
		return fmt.Errorf("%w: a second start", errSignal)
	}
	dial := s.agent.StartAccept
	if s.link.cfg.Controlling {
		dial = s.agent.StartDial
	}
	conn, err := dial(start.ufrag, start.pwd)
	if err != nil {
		return err
	}
	s.path, err = newPath(s.link, udp{conn, s}, newSealer(s.link.cfg.Controlling, s.pwd, start.pwd))
	return err
}

// add takes a candidate of the peer's.
func (s *search) add(c candidate) error {
	if s.remotes++; s.remotes > maxRemoteCandidates || !c.reachable(s.link.cfg.Loopback) {
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
	return s.agent.AddRemoteCandidate(remote)
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

// usable tells whether ICE has found a pair, and both ends know each other's passwords.
func (s *search) usable() bool { return s.path != nil && s.connected.Load() }

// close ends all that belongs to the search, and waits for it.
func (s *search) close() {
	s.cancel()
	_ = s.agent.GracefulClose() // its errors are those of sockets that are gone already
	if s.path != nil {
		s.path.wait()
	}
}

// udp carries datagrams over the pair that ICE has chosen.
type udp struct {
	*ice.Conn
	search *search
}

// room is always: the network tells by losing packets.
func (udp) room() bool { return true }

// patience is how long an answer may take where round trips are short.
func (udp) patience() time.Duration { return silentAfter }

// reliable is not so: datagrams may get lost, or be too large.
func (udp) reliable() bool { return false }

// describe tells whether a TURN server carries the packets, as far as we know, and where they go.
func (u udp) describe() (k wayKind, address string) {
	if pair, err := u.search.agent.GetSelectedCandidatePair(); err == nil && pair != nil &&
		(pair.Local.Type() == ice.CandidateTypeRelay || pair.Remote.Type() == ice.CandidateTypeRelay) {
		k = wayRelayed
	}
	if addr := u.RemoteAddr(); addr != nil {
		address = addr.String()
	}
	return k, address
}
