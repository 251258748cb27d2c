package transport

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"gosrc.io/xmpp/stanza"
	"mellium.im/xmpp/jid"
)

const (
	// writeTimeout is how long one write of at most maxMessageBytes may take: servers that limit
	// bytes stop reading for many seconds.
	writeTimeout = 90 * time.Second
	// lastWordWithin is how long it is read on after a write has failed.
	lastWordWithin = 500 * time.Millisecond
	// closeTimeout is how long the last packets and stanzas have to be written.
	closeTimeout = 2 * time.Second

	minBackoff = 250 * time.Millisecond
	maxBackoff = 60 * time.Second
	// maxBusyBackoff is the same while there are connections, which don't outlive Config.Timeout.
	maxBusyBackoff = 8 * time.Second
	// steadyAfter is how long a link has to live for the next wait to be minBackoff again.
	steadyAfter = time.Second
	// conflictBackoff is the wait after somebody else took our resource.
	conflictBackoff = 60 * time.Second
	// busyBackoff is the wait, or half of it, after a server has said that it can't have us now.
	busyBackoff = 10 * time.Second

	maxPendingIQs = 256

	// roomyStanzaBytes is the limit of a server (XEP-0478) from which messages may carry two payloads. ejabberd counts what it got
	// in one piece against the limit, not the stanza: 8,192 bytes are too many for it at a limit of 8,192.
	roomyStanzaBytes = 4 * maxMessageBytes
)

// A session is our presence on the XMPP server: one link after the other, for as long as it runs. It owns
// one goroutine that supervises, and per link a reader, a writer, and watches on silence and on our address.
type session struct {
	cfg     *Config
	out     *outbox
	handler handler
	self    atomic.Pointer[jid.JID] // full JID, as last bound

	loopback atomic.Bool                // the server, and so maybe peers, are on this machine
	server   atomic.Pointer[netip.Addr] // its address

	stop  context.CancelFunc    // ends the supervisor
	ended context.Context       // done when it has ended
	err   error                 // why; after ended
	heard moment                // when something came in last
	why   atomic.Pointer[error] // there was no link last time
	limit rateLimit             // of what is written, all links together

	copies     atomic.Int64           // messages that came and are copies of others
	archived   atomic.Pointer[string] // the id of the last one that came out of the archive
	reconnects atomic.Uint64          // logins after the first

	hearings hearings // of those that we say something to

	mu     sync.Mutex
	lastID uint64
	asked  map[string]*question // IQs that wait for an answer
}

// A handler is told what comes in, by one goroutine, in order. It must not block.
type handler interface {
	packets(from string, payload []byte)
	undelivered(from string, err *stanzaError)
	presence(from jid.JID, available bool)
	request(from jid.JID, q *iq) (kind, payload string)
	linked()    // logged in, presence sent
	busy() bool // there are connections, or will be
}

// question is an IQ that was sent; answer is called once.
type question struct {
	to     string
	answer func(q *iq, err *stanzaError)
}

// startSession logs in and goes on in the background until close is called, or until
// a login is refused for good. The first login's failure is returned.
func startSession(ctx context.Context, cfg *Config, h handler) (*session, error) {
	first, err := login(ctx, cfg, nil)
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended, end := context.WithCancel(context.Background())
	s := &session{cfg: cfg, out: newOutbox(), handler: h, stop: stop, ended: ended, asked: make(map[string]*question), limit: rateLimit{most: cfg.InbandLimit}}
	s.self.Store(&first.self)
	s.out.link(true)
	go func() {
		defer end()
		s.err = s.supervise(run, first)
	}()
	return s, nil
}

// close writes what is queued, says goodbye and waits for everything to end.
func (s *session) close() {
	if s.out.close(); !s.out.isLinked() {
		s.stop() // nothing can be written
	}
	<-s.ended.Done()
	s.stop()
}

// supervise runs links until the session is closed.
func (s *session) supervise(ctx context.Context, l *link) error {
	wait := minBackoff
	for {
		began := time.Now()
		err := s.runLink(ctx, l)
		s.lost(err)
		s.cfg.Log.Debug("xmpp link ended", "packetBytes", s.out.packetBytes())
		if ctx.Err() != nil || s.out.isClosed() {
			return nil
		}
		s.cfg.Log.Info("xmpp link lost", "err", err)
		if isStreamError(err, "conflict") && !s.cfg.Serve {
			return fail(ErrServer, "%s: another program took our place on the server (conflict)", s.cfg.Account)
		}
		if time.Since(began) > steadyAfter {
			wait = minBackoff
		}
		wait = max(wait, waitAfter(err))
		switch {
		case isStreamError(err, "resource-constraint"):
			s.slowDown(err)
		case isStreamError(err, "policy-violation") && !s.out.onlySmall(): // smaller messages aren't what it wants
			wait = max(wait, busyBackoff)
			s.slowDown(err)
		}
		if l, wait, err = s.relogin(ctx, wait, redirect(err)); err != nil {
			return err
		}
		s.self.Store(&l.self)
		s.reconnects.Add(1)
		s.out.link(true)
	}
}

// slowDown lowers the rate at which we write, from now on and so from the next login on.
func (s *session) slowDown(why error) {
	if limit := s.limit.lower(time.Now()); limit > 0 {
		s.cfg.Log.Info("the xmpp server is sent less", "bytesPerSecond", limit, "why", why)
	}
}

// lost notes that there is no link, and why.
func (s *session) lost(err error) {
	s.why.Store(&err)
	s.out.link(false)
	s.forgetQuestions()
}

// relogin logs in again, after a wait that grows from one time to the next; it returns what the next one would be. A refused password or none, or a login that is
// weaker than it was, is the end, but for a server, which goes on trying. The first try is on the host that the server has named, if it has.
func (s *session) relogin(ctx context.Context, wait time.Duration, named *target) (*link, time.Duration, error) {
	for {
		jitter := time.Duration(rand.Int64N(int64(wait/2) + 1))
		select {
		case <-time.After(wait/2 + jitter):
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
		l, err := login(ctx, s.cfg, named)
		named = nil
		longest := maxBackoff
		if s.handler.busy() {
			longest = maxBusyBackoff
		}
		wait = max(min(2*wait, longest), waitAfter(err))
		if err == nil {
			s.cfg.Log.Info("xmpp link restored", "jid", l.self.String())
			return l, wait, nil
		}
		if ctx.Err() != nil || !s.cfg.Serve && (errors.Is(err, ErrPassword) || errors.Is(err, ErrDowngrade) || errors.Is(err, errNoPassword)) {
			return nil, 0, err
		}
		s.why.Store(&err)
		s.cfg.Log.Warn("xmpp login failed", "err", err)
	}
}

func isStreamError(err error, condition string) bool {
	var e *streamError
	return errors.As(err, &e) && e.condition == condition
}

// runLink reads and writes on a link until it fails or the session is closed.
func (s *session) runLink(ctx context.Context, l *link) error {
	if l.maxStanza > 0 && l.maxStanza < roomyStanzaBytes {
		s.out.onlySmall()
	}
	group, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { _ = l.conn.Close() }) // wakes the reader and the writer
	defer stop()
	s.heard.now()
	server := addrOf(l.conn.RemoteAddr())
	s.loopback.Store(server.IsLoopback())
	s.server.Store(&server)
	group.Go(func() error { return s.read(l) })
	group.Go(func() error { return s.write(ctx, l) })
	group.Go(func() error { return s.watch(ctx) })
	group.Go(func() error { return s.watchAddress(ctx, l.conn.LocalAddr()) })
	s.announce()
	err := group.Wait()
	_ = l.conn.Close()
	return err
}

// announce sends our presence and tells the handler.
func (s *session) announce() {
	if s.cfg.Serve {
		_ = s.out.send(presenceStanza("", "", s.presenceContent())) // fails only if the link is gone
	}
	s.handler.linked()
}

func (s *session) presenceContent() string {
	return presenceContent(s.cfg.Status, capsElement(s.cfg))
}

// greeting is our presence for a peer.
func (s *session) greeting(p *peer) []byte { return presenceStanza(p.full, "", s.presenceContent()) }

// pingPayload is a ping (XEP-0199).
const pingPayload = "<ping xmlns='urn:xmpp:ping'/>"

var errClosed = errors.New("session closed")

// write is the only writer of a link. At the end of the session it says goodbye.
func (s *session) write(ctx context.Context, l *link) error {
	var pad padder
	record := make([]byte, 0, maxMessageBytes)
	for {
		record = s.out.take(ctx, record)
		if len(record) == 0 {
			break
		}
		start := time.Now()
		_ = l.conn.SetWriteDeadline(start.Add(writeTimeout)) // fails only on a closed connection, as the write does
		if _, err := l.conn.Write(pad.pad(record, start)); err != nil {
			select { // the server may have said why, which the reader finds
			case <-ctx.Done():
			case <-time.After(lastWordWithin):
			}
			return err
		}
		if !s.limit.wait(ctx.Done(), len(record), time.Now()) {
			break
		}
	}
	if ctx.Err() == nil && s.out.isClosed() {
		s.farewell(ctx, l)
	}
	return errClosed
}

// farewell ends a session whose last stanzas have been written. It closes only when the server, by answering a ping, has shown that it read
// them: closing before that, with something of the server's unread, would reset the connection, and what is on its way would be lost.
func (s *session) farewell(ctx context.Context, l *link) {
	_ = l.conn.SetWriteDeadline(time.Now().Add(closeTimeout)) // fails only on a closed connection, as the write does
	read := make(chan struct{})
	id, ok := s.register("", func(*iq, *stanzaError) { close(read) })
	if !ok {
		return
	}
	if _, err := l.conn.Write(append(presenceStanza("", "unavailable", ""), marshalIQ("get", id, "", pingPayload)...)); err != nil {
		return
	}
	select {
	case <-read:
		_, _ = l.conn.Write([]byte(stanza.StreamClose)) // a courtesy
	case <-ctx.Done():
	case <-time.After(closeTimeout):
	}
}
