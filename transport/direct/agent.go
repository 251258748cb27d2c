package direct

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
)

const (
	checkInterval  = 100 * time.Millisecond // between connectivity checks of a pair, of which there are at most maxChecks
	maxChecks      = 20
	stunTimeout    = 3 * time.Second
	relayAfter     = 700 * time.Millisecond // a relay is taken if there is nothing better by then
	reflexiveAfter = 200 * time.Millisecond
	// maxAddresses is how many addresses of this machine candidates are gathered from. What is left of maxLocalCandidates is for those that servers tell.
	maxAddresses = 10
)

// newAgent makes an ICE agent of UDP alone, without mDNS. It is this package that tells whether a path lives: ICE's own timers only keep it.
func newAgent(ctx context.Context, l *Link, servers []Server) (*ice.Agent, error) {
	machine, err := newMachine(l.cfg.Listen, l.cfg.Loopback)
	if err != nil {
		return nil, err
	}
	machine.relays = relayAddrs(servers)
	types := []ice.CandidateType{ice.CandidateTypeHost, ice.CandidateTypeServerReflexive, ice.CandidateTypeRelay}
	if l.cfg.RelayOnly {
		types = []ice.CandidateType{ice.CandidateTypeRelay}
	}
	options := []ice.AgentOption{
		ice.WithNet(machine), ice.WithUrls(urls(servers)), ice.WithCandidateTypes(types), ice.WithProxyDialer(newRelayDialer(ctx, servers, l.cfg.RootCAs)),
		ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6}),
		ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled), ice.WithLoggerFactory(loggers{l.cfg.Log}),
		ice.WithCheckInterval(checkInterval), ice.WithSTUNGatherTimeout(stunTimeout), ice.WithMaxBindingRequests(maxChecks),
		ice.WithSrflxAcceptanceMinWait(reflexiveAfter), ice.WithPrflxAcceptanceMinWait(reflexiveAfter), ice.WithRelayAcceptanceMinWait(relayAfter),
		ice.WithRemoteIPFilter(takeRemotes()), ice.WithDisconnectedTimeout(0), ice.WithFailedTimeout(0), ice.WithKeepaliveInterval(0),
	}
	if l.cfg.Loopback {
		options = append(options, ice.WithIncludeLoopback())
	}
	agent, err := ice.NewAgentWithOptions(options...)
	if err != nil {
		return nil, fmt.Errorf("ice: %w", err)
	}
	return agent, nil
}

// maxRemotes is how many addresses of the peer's are taken in all: those that it tells, and those that checks come from.
const maxRemotes = 4 * maxRemoteCandidates

// takeRemotes bounds the addresses that checks are sent to, and the memory for them: a check that is right may come from anywhere, also again and again.
func takeRemotes() (take func(net.IP) bool) {
	var taken atomic.Int32
	return func(net.IP) bool { return taken.Add(1) <= maxRemotes }
}

// A machine is the network as pion sees it: not too many addresses, and sockets with our options.
type machine struct {
	*stdnet.Net
	listen     func(network string, addr *net.UDPAddr) (Socket, error)
	interfaces []*transport.Interface
	relays     map[netip.AddrPort]bool // TURN servers over UDP
}

func newMachine(listen func(string, *net.UDPAddr) (Socket, error), loopback bool) (*machine, error) {
	std, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("look at the network interfaces: %w", err)
	}
	m := &machine{Net: std, listen: listen}
	if listen == nil {
		m.listen = listenUDP
	}
	all, err := std.Interfaces()
	if err != nil {
		return nil, err
	}
	m.interfaces = worthwhile(all, loopback)
	return m, nil
}

// worthwhile are the first interfaces with addresses that the peer may try, and no others. Those that nothing is connected to come last: networks of containers are many.
func worthwhile(all []*transport.Interface, loopback bool) (list []*transport.Interface) {
	left := maxAddresses
	for _, running := range []net.Flags{net.FlagRunning, 0} {
		for _, i := range all {
			if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning != running {
				continue
			}
			addrs, _ := i.Addrs() // its error is that there are none
			one := transport.NewInterface(i.Interface)
			for _, a := range addrs {
				if left > 0 && mayBeTried(a, loopback) {
					one.AddAddress(a)
					left--
				}
			}
			list = append(list, one)
		}
	}
	return list
}

// mayBeTried tells whether the peer may send packets to an address of an interface's.
func mayBeTried(a net.Addr, loopback bool) bool {
	network, ok := a.(*net.IPNet)
	if !ok {
		return false
	}
	addr, ok := netip.AddrFromSlice(network.IP)
	return ok && reachable(addr.Unmap(), loopback)
}

func (m *machine) Interfaces() ([]*transport.Interface, error) { return m.interfaces, nil }

// ListenUDP opens a socket for candidates of this machine.
func (m *machine) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := m.listen(network, addr)
	if err != nil {
		return nil, err
	}
	tune(conn)
	return conn, nil
}

func listenUDP(network string, addr *net.UDPAddr) (Socket, error) {
	return net.ListenUDP(network, addr)
}
