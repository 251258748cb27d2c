package transport

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"git-remote-xmpp/transport/direct"
	"github.com/quic-go/quic-go"
	"mellium.im/xmpp/jid"
)

const (
	// windowBytes is how much may be on its way on a stream: servers buffer without bound, so the end-to-end window is
	// all that bounds what lies in theirs.
	windowBytes = 1 << 20
	// connWindowBytes is the same for all streams of a connection.
	connWindowBytes = windowBytes * 3 / 2
	// wideConns is how many connections from one account may have these windows at once. Further ones have crowdWindowBytes, and half of that more: what a peer sends
	// and we don't read is all that its connections may have.
	wideConns        = 4
	crowdWindowBytes = windowBytes / 4

	maxStreams = 64 // streams that a peer may have open at once

	handshakeTimeout = 60 * time.Second
	keepAlive        = 30 * time.Second
	// nudgeBytes makes a nudge large enough to be answered by a stateless reset where nobody knows the connection (RFC 9000, 10.3), and its packet larger than maxAckBytes: it doesn't wait.
	nudgeBytes = 48

	codeLost    quic.ApplicationErrorCode = 12 // no progress in time; the codes are those of package protocol's SPEC.md
	codeCancel  quic.ApplicationErrorCode = 16
	acceptQueue                           = 32
)

// An Endpoint has one XMPP session, and connections to any number of peers through it.
type Endpoint struct {
	cfg     Config
	session *session
	packets *packetConn
	quic    *quic.Transport
	// quicDirect is what connections migrate to; nil without direct paths.
	quicDirect *quic.Transport
	cert       tls.Certificate
	book       *book

	services   services
	proxies    proxies
	directWide atomic.Int64 // connections with wide windows
	links      linkLimit

	handshakes handshakes
	accepted   chan *Conn
	once       sync.Once
	running    sync.WaitGroup

	mu     sync.Mutex
	closed bool // nothing is begun any more
}

// Start logs in and returns an endpoint that lives until [Endpoint.Close]. ctx bounds only the start. Errors are [ErrServer].
func Start(ctx context.Context, cfg Config) (*Endpoint, error) {
	if err := cfg.verify(); err != nil {
		return nil, err
	}
	cert, err := certificate(cfg.Identity)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{cfg: cfg, cert: cert, accepted: make(chan *Conn, acceptQueue), proxies: proxies{turn: make(chan struct{}, 1)}, links: newLinkLimit()}
	e.book = newBook(&e.cfg, e.seek)
	ready := make(chan struct{}) // the session may call back before it is assigned
	s, err := startSession(ctx, &e.cfg, &receiver{e, ready})
	if err != nil {
		return nil, err
	}
	e.session = s
	e.packets = newPacketConn(newPeer(*s.self.Load()), s.out)
	e.quic = &quic.Transport{
		Conn: e.packets, StatelessResetKey: resetKey(cfg.Identity), VerifySourceAddress: e.handshakes.doubt,
		ConnContext: func(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
			return e.handshakes.admit(ctx, info.RemoteAddr)
		},
	}
	if cfg.Direct != nil {
		e.quicDirect = &quic.Transport{Conn: newMigrated(e.packets), StatelessResetKey: resetKey(cfg.Identity)}
	}
	close(ready)
	context.AfterFunc(s.ended, e.abandonAll)
	if cfg.Serve {
		if err := e.listen(); err != nil {
			e.Close()
			return nil, err
		}
	}
	return e, nil
}

// JID is our full JID.
func (e *Endpoint) JID() jid.JID { return *e.session.self.Load() }

// Err is why the session ended by itself; nil while it lives and after [Endpoint.Close].
func (e *Endpoint) Err() error {
	select {
	case <-e.session.ended.Done():
		return e.session.err
	default:
		return nil
	}
}

// abandonAll ends the connections when the session has ended by itself.
func (e *Endpoint) abandonAll() {
	if e.Err() == nil {
		return
	}
	_, conns := e.book.connected()
	for _, c := range conns {
		c.abandon(e.lost())
	}
}

// Close ends all connections and the session, and waits for all that belongs to them.
func (e *Endpoint) Close() {
	e.once.Do(func() {
		timer := time.AfterFunc(closeTimeout, e.session.stop) // whatever the server does
		defer timer.Stop()
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		_, conns := e.book.connected()
		for _, c := range conns {
			c.Close(0)
		}
		_ = e.quic.Close() // its errors are those of closing the packetConn, which has none
		if e.quicDirect != nil {
			_ = e.quicDirect.Close()
		}
		e.book.closeAll()
		e.session.close()
		_ = e.packets.Close()
	})
	e.running.Wait()
}

// begin runs what belongs to the endpoint.
func (e *Endpoint) begin(task func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.running.Go(task)
	}
}

// quicConfig has the settings of a connection with a peer, which may send so much before we read it.
func (e *Endpoint) quicConfig(p *peer, window uint64) *quic.Config {
	connWindow := window * connWindowBytes / windowBytes
	size := packetSize(p)
	if e.cfg.Direct != nil {
		size = min(size, direct.MaxPacketBytes)
	}
	config := &quic.Config{
		InitialPacketSize: size, DisablePathMTUDiscovery: true,
		HandshakeIdleTimeout: handshakeTimeout, MaxIdleTimeout: e.cfg.Timeout, KeepAlivePeriod: min(keepAlive, e.cfg.Timeout/2),
		InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window,
		InitialConnectionReceiveWindow: connWindow, MaxConnectionReceiveWindow: connWindow,
		MaxIncomingStreams: maxStreams, MaxIncomingUniStreams: e.cfg.uniStreams(),
		EnableDatagrams: true, // for nudges
	}
	if window == windowBytes {
		config.MaxStreamReceiveWindow, config.MaxConnectionReceiveWindow = e.wideWindow()
		config.AllowConnectionWindowIncrease = e.widen(p)
	}
	return config
}

// packetSize is the size of full packets to a peer: two fill a message.
func packetSize(p *peer) uint16 {
	return uint16(max(minPacketBytes, min((p.payloadLimit()-4)/2, maxPacketBytes)))
}

// Dial connects to a peer and checks that it has the key. tag is that of an invite, or nil. The
// error is an [ErrNobody], [ErrKnock], [ErrKeyChanged], [ErrLost] or that of ctx.
func (e *Endpoint) Dial(ctx context.Context, to jid.JID, key ed25519.PublicKey, tag []byte) (*Conn, error) {
	if to.Resourcepart() == "" {
		return nil, fail(ErrNobody, "%s is no full address", to)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p, release := e.book.dialed(to)
	defer release()
	e.greet(p)
	if e.cfg.Direct != nil {
		e.lookForServices()
	}
	e.session.ask(p.full, knockPayload(tag), func(refused *stanzaError) {
		if refused != nil {
			cancel(e.knockFailure(p, refused))
		}
	})
	stop := context.AfterFunc(e.session.ended, func() { cancel(e.lost()) })
	defer stop()

	config := tlsConfig(e.cert, func(got ed25519.PublicKey) error {
		if !got.Equal(key) {
			err := &KeyChangedError{Peer: p.full, Want: key, Got: got}
			cancel(err)
			return err
		}
		return nil
	})
	conn, err := e.quic.Dial(ctx, p, config, e.quicConfig(p, windowBytes))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, e.inWords(p, err)
	}
	return e.track(conn, p, true), nil
}

func (e *Endpoint) lost() error {
	if err := e.Err(); err != nil {
		return err
	}
	return fail(ErrLost, "the connection to the xmpp server was closed")
}

// knockFailure says what it means that a peer, or a server on the way, refused a knock.
func (e *Endpoint) knockFailure(p *peer, refused *stanzaError) error {
	switch condition := refused.condition(); condition {
	case "not-authorized":
		return fail(ErrKnock, "%s doesn't know this invite", p.jid.Bare())
	case notAcceptable:
		return fail(ErrBlocked, "%s is on the block list of %s", p.jid.Bare(), e.cfg.Account)
	case "service-unavailable", "recipient-unavailable", "item-not-found", "feature-not-implemented":
		return fail(ErrNobody, "%s isn't online, or doesn't know us", p.full)
	default:
		return fail(ErrNobody, "%s can't be reached: %s", p.full, refused)
	}
}

// inWords tells the errors of QUIC in ours.
func (e *Endpoint) inWords(p *peer, err error) error {
	var idle *quic.IdleTimeoutError
	var handshake *quic.HandshakeTimeoutError
	var refused *quic.TransportError
	switch {
	case errors.As(err, &refused) && refused.Remote && refused.ErrorCode == quic.ConnectionRefused:
		return fail(ErrLost, "%s takes no more connections now: try again later", p.full)
	case errors.As(err, &handshake):
		return fail(ErrNobody, "%s doesn't answer%s", p.full, p.whyNot())
	case errors.As(err, &idle):
		return e.silent(p)
	}
	return fail(ErrLost, "connect to %s: %v", p.full, err)
}

// silent is the error of a peer of which nothing was heard for too long: for want of a link of ours, because messages came back, or for what we don't know.
func (e *Endpoint) silent(p *peer) error {
	if why := e.session.why.Load(); why != nil && !e.session.out.isLinked() {
		return fail(ErrLost, "the connection to our xmpp server is lost: %s", clean((*why).Error()))
	}
	return fail(ErrLost, "nothing heard from %s for too long%s", p.full, p.whyNot())
}

// listen accepts connections until the endpoint is closed.
func (e *Endpoint) listen() error {
	config := tlsConfig(e.cert, func(ed25519.PublicKey) error { return nil }) // whose key it is decides what it may do, later
	base := e.quicConfig(newPeer(e.JID()), windowBytes)
	base.GetConfigForClient = func(info *quic.ClientInfo) (*quic.Config, error) {
		p, ok := info.RemoteAddr.(*peer)
		switch {
		case !ok:
			return nil, errors.New("not a peer")
		case e.book.connections(p)+e.handshakes.begun(p) >= wideConns:
			return e.quicConfig(p, crowdWindowBytes), nil
		}
		return e.quicConfig(p, windowBytes), nil
	}
	listener, err := e.quic.Listen(config, base)
	if err != nil {
		return err
	}
	e.running.Go(func() {
		for {
			conn, err := listener.Accept(context.Background()) // ends when the transport is closed
			if err != nil {
				return
			}
			e.handshakes.made(conn)
			p, ok := conn.RemoteAddr().(*peer)
			if !ok {
				continue
			}
			select {
			case e.accepted <- e.track(conn, p, false):
			default:
				_ = conn.CloseWithError(codeCancel, "too many connections wait")
			}
		}
	})
	return nil
}

// Accept returns the next connection of a peer that was let in. The error is that of ctx, or why the session ended.
func (e *Endpoint) Accept(ctx context.Context) (*Conn, error) {
	select {
	case c := <-e.accepted:
		return c, nil
	case <-e.session.ended.Done():
		return nil, e.lost()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Greet sends our presence to a full JID, if we are logged in. If somebody is there, both sides learn from the servers, in
// [Config.Presence], when the other goes offline. Nobody learns it who isn't there.
func (e *Endpoint) Greet(to jid.JID) {
	if to.Resourcepart() != "" {
		e.greet(newPeer(to))
	}
}

// seek asks whether a peer that went offline is back, which may be as a new process that knows nothing of the connections that there were.
func (e *Endpoint) seek(p *peer) {
	e.session.ask(p.full, pingPayload, func(refused *stanzaError) {
		if refused == nil {
			e.greet(p)
			e.present(p.jid, true)
		}
	})
}

// greet sends our presence to a peer, by which each side learns from the servers when the other is gone.
func (e *Endpoint) greet(p *peer) {
	_ = e.session.out.send(e.session.greeting(p)) // without a link it is sent after the next login
}
