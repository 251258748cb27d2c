package direct

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// relayWithin is how long a TURN server has to take a connection.
const relayWithin = 3 * time.Second

// A relayDialer connects to TURN servers over TCP and TLS.
type relayDialer struct {
	ctx     context.Context // done at the end of the try
	secured map[string]bool // host:port of those over TLS
	roots   *x509.CertPool  // whom a certificate must be signed by; nil: the system's
}

func newRelayDialer(ctx context.Context, servers []Server, roots *x509.CertPool) relayDialer {
	d := relayDialer{ctx: ctx, secured: make(map[string]bool), roots: roots}
	for _, s := range servers {
		if s.TLS {
			d.secured[net.JoinHostPort(s.Host, strconv.Itoa(s.Port))] = true
		}
	}
	return d
}

// Dial connects to one of the servers.
func (d relayDialer) Dial(network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, relayWithin)
	defer cancel()
	if !d.secured[addr] {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	secure := tls.Dialer{Config: &tls.Config{RootCAs: d.roots, MinVersion: tls.VersionTLS12}} // the name is addr's
	return secure.DialContext(ctx, network, addr)
}

// relayAddrs are the addresses of the servers that are asked over UDP.
func relayAddrs(servers []Server) map[netip.AddrPort]bool {
	addrs := make(map[netip.AddrPort]bool)
	for _, s := range servers {
		if addr, err := netip.ParseAddr(s.Host); err == nil && !s.TCP {
			addrs[netip.AddrPortFrom(addr.Unmap(), uint16(s.Port))] = true
		}
	}
	return addrs
}

// ListenPacket opens a socket that TURN servers are asked from.
func (m *machine) ListenPacket(network, address string) (net.PacketConn, error) {
	addr, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	conn, err := m.listen(network, addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(socketBytes) // what the system doesn't allow is left
	return relaySocket{conn, m.relays}, nil
}

// A relaySocket gets nothing but what the servers send: pion takes everybody who sends for the server, and gives the relay up on a message that it doesn't expect.
type relaySocket struct {
	Socket
	servers map[netip.AddrPort]bool
}

// ReadFrom returns the next packet of a server's.
func (s relaySocket) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := s.Socket.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if udp, ok := from.(*net.UDPAddr); ok {
			at := udp.AddrPort()
			if s.servers[netip.AddrPortFrom(at.Addr().Unmap(), at.Port())] {
				return n, from, nil
			}
		}
	}
}
