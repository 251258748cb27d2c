// Package direct carries packets between two machines past all servers, over UDP, as far as networks let it: by ICE (RFC 8445), which finds a
// pair of addresses that works, through NATs and by TURN servers if need be. Where UDP doesn't get through the two meet at a proxy that joins a TCP connection of each.
// A [Link] is told by its user how to reach the other end's, tries again when a path breaks, and says at any time whether there is one.
//
// It knows neither XMPP nor QUIC: it gets two byte streams, which must be private and authenticated, to tell the other end its addresses, and carries
// packets that somebody else has encrypted. SPEC.md of package protocol, section 8, describes what goes over the wire.
package direct

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v5"
	"golang.org/x/sync/errgroup"
)

const (
	beat     = 100 * time.Millisecond // between probes of a path that packets go over, or that is to be used
	slowBeat = 500 * time.Millisecond // of one that has been silent for long
	idleBeat = 10 * time.Second       // of one that nothing is sent over
	busyFor  = time.Second            // how long a packet keeps a path busy
	fullBeat = 5 * time.Second        // between looks whether the largest packets fit by now
	lookAt   = 3 * time.Second        // between looks at the machine's addresses while packets go, or there is no path

	connectWithin = 15 * time.Second // for ICE to find a pair
	silentWithin  = 2 * time.Second  // of silence until a new try
	minRetry      = time.Second      // between tries
	maxRetry      = 5 * time.Minute

	maxWaitingSignals = 128
	// Messages of the peer's that may come at once, and one each so often from then on; and starts among them.
	burstSignals, signalEvery = 256, time.Second / 8
	burstStarts, startEvery   = 16, 3 * time.Second
	// What we begin ourselves: the peer says as much, and neither is to have too much of the other.
	ownStarts, ownStartEvery = 12, 3500 * time.Millisecond
	// meetStarts is how many a try to meet at a proxy may count as.
	meetStarts = 2
)

// Config says how a link is made.
type Config struct {
	Controlling bool // one of the two ends is
	RelayOnly   bool // by TURN only: the peer doesn't get to know our addresses
	Loopback    bool // the peer may be on this machine
	// Servers are asked before each try.
	Servers func(ctx context.Context) []Server
	// RootCAs are whom the certificate of a TURN server over TLS must be signed by; nil: the system's.
	RootCAs *x509.CertPool
	// Proxy asks for a stream through the proxy of our server. nil: there is none, and no try is begun; the peer's may still be used.
	Proxy func(ctx context.Context) (*Proxy, error)
	// AtServer tells whether an address is that of our server, where a proxy may be whatever network it is on. May be nil.
	AtServer func(addr netip.Addr) bool
	// Receive takes a packet that came. It must not block, nor keep the packet.
	Receive func(packet []byte)
	// Changed is told that there is a path now, or none. It must not block.
	Changed func()
	// Listen opens a socket; nil: one of the system's. Tests have networks that fail.
	Listen func(network string, addr *net.UDPAddr) (Socket, error)
	Log    *slog.Logger
}

// A Socket is a UDP socket.
type Socket = transport.UDPConn

// A Link is the direct way to a peer, while there is one.
type Link struct {
	cfg     Config
	events  chan struct{}
	signals chan signal // to the peer
	full    atomic.Bool // too many wait

	current   atomic.Pointer[path]   // what packets go over; nil: none
	lastWrite atomic.Int64           // Unix nanoseconds
	why       atomic.Pointer[string] // there is no path of UDP
	noStream  atomic.Pointer[string] // why there is no stream through a proxy; nil: none was looked for, or there is one

	// Of Run's goroutine: the latest tries.
	search  *search
	meeting *meeting
	turn    turn
}

// turn is what Run's goroutine notes.
type turn struct {
	lookedAt  time.Time
	addresses string

	generation uint32
	lastStart  time.Time
	retry      time.Duration // until the next try, grows
	retryAt    time.Time
	failed     bool // the last try found nothing
	doubt      doubt

	// The same for meetings.
	meetGeneration uint32
	meetRetry      time.Duration
	meetAt         time.Time

	begins budget // for what the peer counts
}

// New makes a link, which does nothing before [Link.Run].
func New(cfg Config) *Link {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &Link{cfg: cfg, events: make(chan struct{}, 1), signals: make(chan signal, maxWaitingSignals)}
	l.turn.begins = budget{most: ownStarts, every: ownStartEvery}
	l.because("no path was found yet")
	return l
}

// Write sends a packet if there is a path. If it is false the packet has to go another way.
func (l *Link) Write(packet []byte) bool {
	p := l.current.Load()
	if p == nil || len(packet) == 0 || len(packet) > MaxPacketBytes || packet[0]&quicMask != quicShort {
		return false
	}
	now := time.Now().UnixNano()
	if before := l.lastWrite.Swap(now); now-before > int64(busyFor) {
		l.poke()
	}
	p.write(packet)
	return true
}

// Up tells whether there is a path.
func (l *Link) Up() bool { return l.current.Load() != nil }

// A State says how packets go.
type State struct {
	Up         bool
	Relayed    bool          // by a TURN server
	Bytestream bool          // over TCP, by a proxy
	Address    string        // where they go
	Trip       time.Duration // round trip
	Loss       float64       // part of the latest probes that were lost
	Why        string        // without a path of UDP: why
}

// State says how packets go now.
func (l *Link) State() State {
	p, why := l.current.Load(), *l.why.Load()
	if p == nil {
		if no := l.noStream.Load(); no != nil {
			why += "; " + *no
		}
		return State{Why: why}
	}
	pulse := p.pulse(time.Now())
	kind, address := p.carrier.describe()
	s := State{Up: true, Relayed: kind == wayRelayed, Bytestream: kind == wayBytestream, Address: address, Trip: pulse.trip, Loss: pulse.loss}
	if s.Bytestream {
		s.Why = why
	}
	return s
}

func (l *Link) because(why string) { l.why.Store(&why) }

// oneLine is the text of an error.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// usable tells whether packets go over p.
func (l *Link) usable(p *path) bool { return l.current.Load() == p }

// poke has Run look at once.
func (l *Link) poke() {
	select {
	case l.events <- struct{}{}:
	default:
	}
}

// say queues a message to the peer.
func (l *Link) say(s signal) {
	select {
	case l.signals <- s:
	default:
		l.full.Store(true) // the streams are stuck: Run ends
		l.poke()
	}
}

var (
	errTooMany = errors.New("the peer sends too many messages about the direct path")
	errStuck   = errors.New("the peer reads no messages about the direct path")
)

// Run keeps the link until ctx is done or a stream fails: in brings the other end's messages, out takes ours. Both must fail when ctx is done.
func (l *Link) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	group, ctx := errgroup.WithContext(ctx)
	heard := make(chan signal)
	group.Go(func() error { return hear(ctx, in, heard) })
	group.Go(func() error { return l.tell(ctx, out) })
	group.Go(func() error { return l.keep(ctx, heard) })
	return group.Wait()
}

// hear reads the peer's messages.
func hear(ctx context.Context, in io.Reader, heard chan<- signal) error {
	var buf [maxSignalBytes]byte
	left := budget{most: burstSignals, every: signalEvery}
	for {
		s, err := readSignal(in, buf[:])
		if err != nil {
			return err
		}
		if !left.take(time.Now(), 1) {
			return errTooMany
		}
		select {
		case heard <- s:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tell writes ours.
func (l *Link) tell(ctx context.Context, out io.Writer) error {
	for {
		select {
		case s := <-l.signals:
			if _, err := out.Write(appendSignal(nil, s)); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
