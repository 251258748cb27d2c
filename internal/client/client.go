// Package client connects to a peer that serves: it finds out which keys and which
// full JIDs stand behind an address, shows an invite, and exchanges hellos.
//
// It knows nothing of git, of what the streams carry or of how the user is told.
package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/vouch"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// helloTimeout is how long the other side has for its hello; slow servers count for it.
const helloTimeout = 60 * time.Second

// refusalGrace is how long a refusal on the control stream may come after the end of a service's stream.
const refusalGrace = time.Second

// ErrNoKey says that no key is known for an address, so that nobody there can be trusted.
var ErrNoKey = errors.New("no key known")

// A Dialer opens connections to peers. *transport.Endpoint is one.
type Dialer interface {
	Dial(ctx context.Context, to jid.JID, key ed25519.PublicKey, tag []byte) (*transport.Conn, error)
}

// Options says whom to connect to, and as whom.
type Options struct {
	Dialer   Dialer
	Store    *peers.Store
	Account  jid.JID // ours, bare
	Address  jid.JID // theirs, bare
	Software string  // name and version
	Resource string  // that we serve under, if we do
	// Look has nothing noted of what peers say of others.
	Look bool
}

// A Session is a connection to a peer with the hellos exchanged, or on their way.
type Session struct {
	conn    *transport.Conn
	control *transport.Stream
	answers *protocol.Reader // of what comes on it
	hello   chan struct{}    // closed when the peer's hello has come, or never will
	theirs  *protocol.Hello  // the peer's, then
	said    vouch.Said       // with it
	talking chan struct{}    // a slot for the one conversation
	tasks   sync.WaitGroup

	mu      sync.Mutex
	refusal error // why there is no hello
	spoilt  bool  // a conversation was broken off: nobody knows what the next answer belongs to
}

// Connect connects to a peer. With an invite it returns when the invite has been taken and the peer's key is pinned.
func Connect(ctx context.Context, o Options, target Target) (*Session, error) {
	to, err := o.Address.WithResource(target.resource)
	if err != nil {
		return nil, err
	}
	hello := &protocol.Hello{Major: protocol.Major, Minor: protocol.Minor, Software: o.Software, Resource: o.Resource}
	var tag []byte
	if target.secret != nil {
		tag = peers.KnockTag(*target.secret, o.Account.String())
		hello.Invite = target.secret[:]
	}
	conn, err := o.Dialer.Dial(ctx, to, target.Key.Public(), tag)
	if err != nil {
		return nil, err
	}
	s := &Session{conn: conn, hello: make(chan struct{}), talking: make(chan struct{}, 1)}
	s.control, err = conn.OpenStream(ctx)
	if err == nil {
		err = o.side(target).Greet(s.control, hello)
	}
	if err != nil {
		s.Close()
		return nil, conn.Explain(err)
	}
	s.answers = protocol.NewReader(s.control)
	s.tasks.Go(func() { s.greeted(ctx, o, target) })
	if target.secret == nil {
		return s, nil
	}
	if err := s.awaitHello(ctx); err != nil {
		s.Close()
		return nil, err
	}
	if err := o.Store.Pin(ctx, target.Key, o.Address.String(), target.resource, ""); err != nil {
		s.Close()
		return nil, fmt.Errorf("keep the key of %s: %w", o.Address, err)
	}
	s.heed(ctx, o, target)
	return s, nil
}

// readHello reads the peer's answer on the control stream. It ends at the latest after helloTimeout, or with the connection.
func (s *Session) readHello() {
	defer close(s.hello)
	_ = s.control.SetReadDeadline(time.Now().Add(helloTimeout)) // fails only on a stream that has ended, as the read does
	for {
		m, err := s.answers.Next()
		if err != nil {
			s.fail(s.conn.Explain(err))
			return
		}
		switch m := m.(type) {
		case *protocol.Refuse:
			s.fail(m)
			s.conn.Close(0) // nothing follows: whoever waits on another stream learns it now
			return
		case *protocol.Hello:
			if m.Major == protocol.Major {
				s.theirs = m
				if s.said, err = vouch.Read(m, s.answers); err != nil {
					s.fail(s.conn.Explain(err))
				}
				return
			}
			s.fail(versionError(m.Major))
			s.conn.Close(uint32(protocol.CodeVersion))
			return
		}
	}
}

func versionError(theirs uint32) error {
	return &protocol.Refuse{Code: protocol.CodeVersion, Text: fmt.Sprintf("it speaks version %d of the protocol, we speak %d: one of the two needs an update", theirs, protocol.Major)}
}

func (s *Session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal == nil {
		s.refusal = err
	}
}

func (s *Session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

func (s *Session) awaitHello(ctx context.Context) error {
	select {
	case <-s.hello:
		return s.failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Peer is the full JID of the other side.
func (s *Session) Peer() jid.JID { return s.conn.Peer() }

// Path says how the connection's packets go now.
func (s *Session) Path() transport.Path { return s.conn.Path() }

// Open opens a stream for a service.
func (s *Session) Open(ctx context.Context) (*Stream, error) {
	stream, err := s.conn.OpenStream(ctx)
	if err != nil {
		return nil, s.explain(err)
	}
	return &Stream{stream: stream, session: s}, nil
}

// Close ends the connection and waits for what belongs to it.
func (s *Session) Close() {
	s.conn.Close(0)
	s.tasks.Wait()
}

// explain says why the connection or a stream failed: what the peer said on the control stream goes before what QUIC says.
func (s *Session) explain(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	var refusal *protocol.Refuse
	if errors.As(s.failure(), &refusal) {
		return refusal
	}
	err = s.conn.Explain(err)
	var closed *transport.ClosedError
	if errors.As(err, &closed) {
		select { // what the peer says about it is on its way on another stream
		case <-s.hello:
		case <-time.After(refusalGrace):
		}
		if refusal := s.failure(); refusal != nil && !errors.As(refusal, new(*transport.ClosedError)) {
			return refusal
		}
		if closed.Code == 0 {
			return fmt.Errorf("%w: %w", transport.ErrLost, err)
		}
		return &protocol.Refuse{Code: protocol.Code(closed.Code)}
	}
	return err
}

// A Stream is a service's stream to the peer.
type Stream struct {
	stream  *transport.Stream
	session *Session
}

// Read reads from the peer.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.stream.Read(p)
	return n, s.session.explain(err)
}

// Write writes to the peer; it blocks while the peer's window is full.
func (s *Stream) Write(p []byte) (int, error) {
	n, err := s.stream.Write(p)
	return n, s.session.explain(err)
}

// CloseWrite ends our direction.
func (s *Stream) CloseWrite() error { return s.stream.Close() }

// Cancel gives up both directions.
func (s *Stream) Cancel(code protocol.Code) {
	s.stream.CancelRead(transport.StreamCode(code))
	s.stream.CancelWrite(transport.StreamCode(code))
}
