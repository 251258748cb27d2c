package direct

import (
	"context"
	"fmt"
	"net"
	"net/netip"
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
	// maxAddresses is how many addresses of this machine candidates are gathered from.
	maxAddresses = 16
)

// newAgent makes an ICE agent of UDP alone, without mDNS. It is this package that tells whether a path lives: ICE's own timers only keep it.
func newAgent(ctx context.Context, l *Link, servers []Server) (*ice.Agent, error) {
	machine, err := newMachine(l.cfg.Listen)
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
		ice.WithDisconnectedTimeout(0), ice.WithFailedTimeout(0), ice.WithKeepaliveInterval(0),
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

// A machine is the network as pion sees it: not too many addresses, and sockets with our options.
type machine struct {
	*stdnet.Net
	listen     func(network string, addr *net.UDPAddr) (Socket, error)
	interfaces []*transport.Interface
	relays     map[netip.AddrPort]bool // TURN servers over UDP
}

func newMachine(listen func(string, *net.UDPAddr) (Socket, error)) (*machine, error) {
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
	left := maxAddresses
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil || len(addrs) > left {
			continue
		}
		left -= len(addrs)
		m.interfaces = append(m.interfaces, i)
	}
	return m, nil
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
