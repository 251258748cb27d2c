package transport

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"git-remote-xmpp/internal/slots"
	"git-remote-xmpp/transport/direct"
	"github.com/quic-go/quic-go"
)

// Direct says how packets may go otherwise than in messages: past the servers, over UDP, by which the peer gets to know our addresses, and we its; where that isn't possible, over TCP and
// the proxy of a server, whose operator gets to know them.
type Direct struct {
	// Allow tells whether a peer with this key may know our addresses. It is asked again as streams are opened.
	Allow func(key ed25519.PublicKey) bool
	// RelayOnly has packets go by TURN servers only, so that the peer doesn't get to know our addresses.
	RelayOnly bool
	// Servers are STUN and TURN servers besides those that our XMPP server names.
	Servers []direct.Server
	// RootCAs are whom the certificate of a TURN server must be signed by; nil: the system's.
	RootCAs *x509.CertPool

	listen func(network string, addr *net.UDPAddr) (direct.Socket, error) // nil: the system's sockets
}

const (
	// directStream is the first byte of the stream that carries a direct link's messages.
	directStream = 1
)

const (
	// maxDirectLinks is how many connections may have, or look for, a direct path at once: each has sockets, and keeps what it has sent lately. The others go
	// through servers until one ends.
	maxDirectLinks = 32
	// maxDirectPerKey is how many of these a peer's key may have.
	maxDirectPerKey = 16
)

// A linkLimit bounds direct paths.
type linkLimit struct {
	all *slots.Slots[struct{}]
	of  *slots.Slots[string] // by key
}

func newLinkLimit() linkLimit {
	return linkLimit{all: slots.New[struct{}](maxDirectLinks), of: slots.New[string](maxDirectPerKey)}
}

// take waits for a place for a key's connection.
func (l linkLimit) take(ctx context.Context, key ed25519.PublicKey) (release func(), err error) {
	leave, err := l.of.Take(ctx, string(key))
	if err != nil {
		return nil, err
	}
	leaveAll, err := l.all.Take(ctx, struct{}{})
	if err != nil {
		leave()
		return nil, err
	}
	return func() {
		leaveAll()
		leave()
	}, nil
}

// routes are the direct ways to a peer: one for each connection that has one. Packets take any.
type routes struct {
	mu    sync.Mutex
	links []*direct.Link
	best  atomic.Pointer[direct.Link]
	ever  atomic.Bool // there has been one
	came  atomic.Bool // a packet has come by one
}

func (r *routes) add(l *direct.Link) {
	r.mu.Lock()
	r.links = append(r.links, l)
	r.mu.Unlock()
	r.choose()
}

func (r *routes) remove(l *direct.Link) {
	r.mu.Lock()
	r.links = slices.DeleteFunc(r.links, func(other *direct.Link) bool { return other == l })
	r.mu.Unlock()
	r.choose()
}

// choose finds a link that has a path.
func (r *routes) choose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	var best *direct.Link
	if i := slices.IndexFunc(r.links, (*direct.Link).Up); i >= 0 {
		best = r.links[i]
		r.ever.Store(true)
	}
	r.best.Store(best)
}

func (r *routes) up() bool {
	l := r.best.Load()
	return l != nil && l.Up()
}

// write sends a packet by a direct way, if there is one.
func (r *routes) write(packet []byte) bool {
	l := r.best.Load()
	return l != nil && l.Write(packet)
}

// A way is how packets of a connection go.
type way struct {
	dialed  bool
	allowed chan struct{} // closed when the peer may know our addresses
	once    sync.Once
	migrate sync.Once
	up      atomic.Bool // there was a direct path when that was looked at last
	link    atomic.Pointer[direct.Link]
	why     atomic.Pointer[string] // without a link
}

func (w *way) because(why string) { w.why.Store(&why) }

// goDirect looks for a direct path while the connection lasts.
func (c *Conn) goDirect() {
	err := c.runDirect(c.quic.Context())
	if c.quic.Context().Err() != nil {
		return
	}
	c.way.because("the peer and we don't understand each other: " + clean(err.Error()))
	c.endpoint.cfg.Log.Debug("no direct path any more", "peer", c.peer.full, "err", err)
}

var errDirectStream = errors.New("unknown kind of stream")

func (c *Conn) runDirect(ctx context.Context) error {
	c.way.because("the peer may not know our addresses yet")
	c.mayGoDirect()
	select {
	case <-c.way.allowed:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.way.because("the peer doesn't look for a direct path; see xmpp.directPath there")
	out, err := c.quic.OpenUniStreamSync(ctx) // waits for good for a peer that doesn't want it, or doesn't know of it
	if err != nil {
		return err
	}
	defer out.CancelWrite(quic.StreamErrorCode(codeCancel))
	if _, err := out.Write([]byte{directStream}); err != nil {
		return err
	}
	in, err := c.quic.AcceptUniStream(ctx)
	if err != nil {
		return err
	}
	defer in.CancelRead(quic.StreamErrorCode(codeCancel))
	var kind [1]byte
	if _, err := io.ReadFull(in, kind[:]); err != nil {
		return err
	}
	if kind[0] != directStream {
		return fmt.Errorf("%w: %d", errDirectStream, kind[0])
	}
	c.way.because("as many connections have a direct path, or look for one, as may")
	release, err := c.endpoint.links.take(ctx, c.key)
	if err != nil {
		return err
	}
	defer release()
	return c.link(ctx, in, out)
}

func (c *Conn) link(ctx context.Context, in io.Reader, out io.Writer) error {
	e, p := c.endpoint, c.peer
	l := direct.New(direct.Config{
		Controlling: c.way.dialed, RelayOnly: e.cfg.Direct.RelayOnly, Loopback: e.session.loopback.Load(),
		Servers: e.servers, RootCAs: e.cfg.Direct.RootCAs,
		Proxy:    func(ctx context.Context) (*direct.Proxy, error) { return e.newStream(ctx, p) },
		AtServer: e.atServer,
		Receive:  func(packet []byte) { e.packets.deliverPacket(p, packet) },
		Listen:   e.cfg.Direct.listen,
		Changed:  c.rerouted, Log: e.cfg.Log,
	})
	c.way.link.Store(l)
	p.routes.add(l)
	defer func() {
		c.way.link.Store(nil)
		p.routes.remove(l)
	}()
	return l.Run(ctx, in, out)
}

// rerouted is told that there is a direct path now, or none.
func (c *Conn) rerouted() {
	c.peer.routes.choose()
	up := c.peer.routes.up()
	if c.way.up.Swap(up) {
		c.nudge() // what was lost on the way that was left is known the sooner
	}
	if up && c.way.dialed {
		c.way.migrate.Do(func() { c.endpoint.begin(c.migrate) })
	}
}

// mayGoDirect asks whether the peer may know our addresses by now.
func (c *Conn) mayGoDirect() {
	d := c.endpoint.cfg.Direct
	if d == nil || d.Allow == nil {
		return
	}
	select {
	case <-c.way.allowed:
	default:
		if d.Allow(c.key) {
			c.way.once.Do(func() { close(c.way.allowed) })
		}
	}
}

// A Path is how the packets of a connection go.
type Path struct {
	Direct     bool // not in messages
	Relayed    bool // direct, but by a TURN server
	Bytestream bool // direct, but over TCP, by a proxy
	Address    string
	Trip       time.Duration // round trip of a direct path
	Loss       float64       // part of the latest probes that were lost
	Why        string        // if not over UDP: why
}

// Path says how the packets of the connection go now.
func (c *Conn) Path() Path {
	if c.endpoint.cfg.Direct == nil {
		return Path{Why: "by our settings"}
	}
	l := c.way.link.Load()
	if l == nil {
		return Path{Why: *c.way.why.Load()}
	}
	s := l.State()
	return Path{Direct: s.Up && c.peer.routes.up(), Relayed: s.Relayed, Bytestream: s.Bytestream, Address: s.Address, Trip: s.Trip, Loss: s.Loss, Why: s.Why}
}

// uniStreams is how many unidirectional streams a peer may open: the one of a direct link's messages.
func (c *Config) uniStreams() int64 {
	if c.Direct == nil {
		return -1
	}
	return 1
}

// addrOf is the IP address of the other end of a connection to a server; the zero value if that isn't one.
func addrOf(addr net.Addr) netip.Addr {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
