package transport

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"mellium.im/xmpp/jid"
)

// A Conn is a connection to a peer whose key is known.
type Conn struct {
	endpoint *Endpoint
	quic     *quic.Conn
	peer     *peer
	key      ed25519.PublicKey
	way      way
	trip     time.Duration // the latest round trip that the peer's pace knows

	mu    sync.Mutex
	cause error // why it was abandoned
}

// track makes a Conn of a connection and forgets it when it ends.
func (e *Endpoint) track(q *quic.Conn, p *peer, dialed bool) *Conn {
	key, _ := peerKey(q.ConnectionState().TLS) // was checked in the handshake
	c := &Conn{endpoint: e, quic: q, peer: p, key: key}
	c.way.dialed, c.way.allowed = dialed, make(chan struct{})
	p.conn.Store(q)
	c.way.because("the peer may not know our addresses yet")
	e.book.add(c)
	e.cfg.Log.Debug("connection begun", "with", p.full)
	c.watchFlight()
	context.AfterFunc(q.Context(), func() {
		if p.conn.CompareAndSwap(q, nil) { // peers are remembered for longer
			e.session.out.forget(p)
		}
		e.book.remove(c)
		stats := q.ConnectionStats()
		most, waited := p.pace.state()
		e.cfg.Log.Debug("connection ended", "with", p.full, "why", context.Cause(q.Context()), "packetsSent", stats.PacketsSent, "packetsLost", stats.PacketsLost,
			"mostOnTheWay", most, "heldBack", waited)
	})
	if e.cfg.Direct != nil {
		e.begin(c.goDirect)
	}
	return c
}

// Peer is the full JID of the other side.
func (c *Conn) Peer() jid.JID { return c.peer.jid }

// Key is the key of the other side.
func (c *Conn) Key() ed25519.PublicKey { return c.key }

// Context is done when the connection has ended; its cause says why, see also [Conn.Explain].
func (c *Conn) Context() context.Context { return c.quic.Context() }

// OpenStream opens a stream; it may wait for the peer to allow one more.
func (c *Conn) OpenStream(ctx context.Context) (*Stream, error) {
	c.mayGoDirect()
	s, err := c.quic.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	return c.stream(s), nil
}

// AcceptStream returns the next stream that the peer opened.
func (c *Conn) AcceptStream(ctx context.Context) (*Stream, error) {
	s, err := c.quic.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	c.mayGoDirect()
	return c.stream(s), nil
}

// Close ends the connection with one of protocol's codes; 0 is the normal end.
func (c *Conn) Close(code uint32) {
	c.end(quic.ApplicationErrorCode(code))
}

// end closes the connection. The peer is told by every path: nobody says it twice.
func (c *Conn) end(code quic.ApplicationErrorCode) {
	c.peer.closing.Add(1)
	defer c.peer.closing.Add(-1)
	_ = c.quic.CloseWithError(code, "") // never fails
}

// abandon ends the connection for a reason of ours.
func (c *Conn) abandon(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	c.end(codeLost)
}

// nudge has the peer acknowledge what it got, by which both sides find out what was lost in between; a peer that was started anew
// says so. It is a datagram (RFC 9221) that nobody reads.
func (c *Conn) nudge() { c.ask(false) }

// ask is nudge, for the first time or again.
func (c *Conn) ask(again bool) {
	c.peer.pace.nudge(time.Now(), again)
	_ = c.quic.SendDatagram(make([]byte, nudgeBytes))
}

// A ClosedError says that the peer ended a connection or a stream with a code of protocol's.
type ClosedError struct {
	Peer string // full JID
	Code uint32
}

func (e *ClosedError) Error() string { return "ended by " + e.Peer }

// Explain tells an error of a connection or stream in this package's: [*ClosedError], [ErrLost], or err
// itself.
func (c *Conn) Explain(err error) error {
	c.mu.Lock()
	cause := c.cause
	c.mu.Unlock()
	if cause != nil {
		return cause
	}
	var app *quic.ApplicationError
	var stream *quic.StreamError
	var idle *quic.IdleTimeoutError
	var reset *quic.StatelessResetError
	switch {
	case errors.As(err, &stream) && stream.Remote:
		return &ClosedError{c.peer.full, uint32(stream.ErrorCode)}
	case errors.As(err, &app) && app.Remote:
		return &ClosedError{c.peer.full, uint32(app.ErrorCode)}
	case errors.As(err, &idle):
		return c.endpoint.silent(c.peer) // by the shorter timeout of the two ends
	case errors.As(err, &reset):
		return fail(ErrLost, "%s was started anew", c.peer.full)
	}
	if ended := c.endpoint.Err(); ended != nil {
		return ended
	}
	return err
}

// receiver hands what a session gets to its endpoint.
type receiver struct {
	*Endpoint
	ready chan struct{} // closed when the endpoint is complete
}

func (r *receiver) packets(from string, payload []byte) {
	<-r.ready
	if p := r.book.sender(from); p != nil {
		p.heard()
		if err := r.Endpoint.packets.deliver(p, payload); err != nil {
			r.cfg.Log.Debug("payload dropped", "from", p.full, "err", err)
		}
	}
}

// undelivered is told of a message that came back: the peer is gone, or its server can't be reached. QUIC sends again, and
// the knock's answer or the peer's presence tell the rest. If it stays so, this is why.
func (r *receiver) undelivered(from string, err *stanzaError) {
	<-r.ready
	r.cfg.Log.Debug("message came back", "from", clean(from), "err", err.String())
	if p := r.book.sender(from); p != nil {
		text := err.String()
		p.bounced.Store(&text)
		r.slowDown(p, err)
	}
}

// slowDown has less sent to a peer for which a server, or the peer itself, says that it is too much. Others aren't slowed down by that: who said it isn't known.
func (r *receiver) slowDown(p *peer, err *stanzaError) {
	if !tooFast(err.condition()) {
		return
	}
	if limit := p.limit.lower(time.Now()); limit > 0 {
		r.cfg.Log.Info("a peer is sent less", "peer", p.full, "bytesPerSecond", limit, "why", err.String())
	}
}

func (r *receiver) presence(from jid.JID, available bool) {
	<-r.ready
	r.present(from, available)
}

// present acts on what is known of a peer's presence.
func (e *Endpoint) present(from jid.JID, available bool) {
	for _, c := range e.book.present(from, available) {
		c.nudge()
	}
	if p := e.book.talking(from); p != nil && available { // it may have been away without the servers' noticing
		e.session.out.repeat(p)
	}
	if e.cfg.Presence != nil && e.book.sender(from.String()) != nil {
		e.cfg.Presence(from, available)
	}
}

// request answers IQs of type get. Strangers get what a server says when nobody is there.
func (r *receiver) request(from jid.JID, q *iq) (kind, payload string) {
	<-r.ready
	var err error
	known := false
	if q.Knock != nil {
		return r.knock(from, q.Knock.Tag)
	}
	if from.Resourcepart() == "" {
		known = r.session.isServer(from)
	} else {
		known = r.book.sender(from.String()) != nil || from.Bare().Equal(r.cfg.Account)
	}
	kind, payload = "error", unavailable
	switch {
	case !known:
		return kind, payload
	case q.Ping != nil:
		return "result", ""
	case q.Version != nil:
		payload, err = versionPayload(&r.cfg)
	case q.Disco != nil:
		payload, err = discoPayload(&r.cfg, clean(q.Disco.Node))
	default:
		return kind, payload
	}
	if err != nil {
		return "error", errorPayload("wait", "internal-server-error")
	}
	return "result", payload
}

func (r *receiver) knock(from jid.JID, text string) (kind, payload string) {
	tag, err := decodeTag(text)
	if err != nil {
		return "error", errorPayload("modify", "bad-request")
	}
	p, ok := r.book.knock(from, tag)
	switch {
	case ok:
		_ = r.session.out.sendLate(r.session.greeting(p)) // as greet
		return "result", ""
	case tag != nil && r.cfg.Serve:
		return "error", errorPayload("auth", "not-authorized")
	default:
		return "error", unavailable
	}
}

func (r *receiver) busy() bool {
	<-r.ready
	return r.book.busy()
}

// linked greets the peers anew after a login and has both sides find out what was lost.
func (r *receiver) linked() {
	<-r.ready
	peers, conns := r.book.connected()
	for _, p := range peers {
		r.greet(p)
		r.session.out.repeat(p)
	}
	for _, c := range conns {
		c.nudge()
	}
	if r.cfg.Linked != nil {
		r.cfg.Linked()
	}
}

// StreamCode is a code of protocol's as an error code of a stream.
func StreamCode[C ~uint32](code C) quic.StreamErrorCode { return quic.StreamErrorCode(code) }

// A StreamError says that one side reset a stream.
type StreamError = quic.StreamError
