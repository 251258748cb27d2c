// Package serve is the serving side: it decides who may do what, has what package schedule
// says run, and runs git for peers.
//
// It speaks package protocol on the connections that package transport accepts. It must not know
// stanzas, and leaves what a push does to a repository to package repo.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"git-remote-xmpp/internal/notify"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/slots"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

const (
	// helloTimeout is how long a new connection has for its hello, openTimeout a new stream for its open.
	helloTimeout = 60 * time.Second
	openTimeout  = 60 * time.Second
	// finishGrace is how long what runs may go on after the server was told to stop; then it is cancelled.
	finishGrace = 2 * time.Second
	// refusalGrace is how long a refused peer has to read why before the connection is closed.
	refusalGrace = 5 * time.Second
	// idleTimeout is how long a connection may be there without a stream.
	idleTimeout = 60 * time.Second
)

// A Server serves repositories to peers.
type Server struct {
	Endpoint *transport.Endpoint
	Store    *peers.Store
	Catalog  *Catalog
	Hooks    repo.HooksDir
	Resource string // that we serve under, for our hello
	Software string // name and version
	Timeout  time.Duration
	Log      *slog.Logger
	// Pushes and Fetches are how many of them run at once, over all clients; at least 1.
	Pushes, Fetches int

	// Sync keeps repositories in step; nil: nothing does.
	Sync *syncer.Syncer

	// Notify is told of pushes to repositories with xmpp.notify, and whom to tell; it must not block. nil: nobody is told.
	Notify func(to jid.JID, p notify.Push)

	prepare   sync.Once          // turns, answering and probes
	probes    chan chan struct{} // answered by Run's loop
	turns     *turns
	answering *slots.Slots[peers.Key] // of initiations
	beats     beats                   // of clients
	live      live                    // what Status shows
	conns     shares[peers.Key]       // of all connections
	strangers shares[string]          // of those whose keys aren't known, by account
	streams   shares[peers.Key]       // of all streams on which services are asked for
	counts    counts                  // of what has ended
	tellers   tellers                 // of pushes that were taken in
}

// Admit tells whether packets from a bare JID are read: those of known peers.
func Admit(store *peers.Store, log *slog.Logger) func(jid.JID) bool {
	return func(from jid.JID) bool {
		known, err := store.ByAddress(from.String())
		if err != nil {
			log.Error("nobody is let in", "err", err)
		}
		return err == nil && len(known) > 0
	}
}

// AdmitKnock tells whether a knock's tag is that of an invite.
func AdmitKnock(store *peers.Store) func(jid.JID, []byte) bool {
	return func(from jid.JID, tag []byte) bool { return store.MatchKnock(tag, from.String()) }
}

// Run serves until ctx is done; then it lets what runs finish for a short time, cancels the rest
// and returns when all has ended. The error is that of the endpoint if it ended by itself.
func (s *Server) Run(ctx context.Context) error {
	s.live.begin(s.prepared())
	var conns sync.WaitGroup
	running, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	told := s.tellers.begin(running)
	err := s.loop(ctx, func(conn *transport.Conn) {
		key, _ := peers.KeyOf(conn.Key()) // one of another length has no grants either
		release, ok := s.conns.take(key, maxKeyConnections, maxConnections)
		if !ok {
			conn.Close(uint32(protocol.CodeBusy))
			return
		}
		conns.Go(func() {
			defer release()
			s.serveConn(running, ctx, conn)
		})
	})
	grace := time.AfterFunc(finishGrace, func() { cancel(protocol.CodeShutdown) })
	defer grace.Stop()
	conns.Wait()
	told()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// prepared returns the turns.
func (s *Server) prepared() *turns {
	s.prepare.Do(func() {
		s.turns, s.answering = newTurns(s.Pushes, s.Fetches), slots.New[peers.Key](maxAnswering)
		s.probes = make(chan chan struct{})
	})
	return s.turns
}

// A client is the other side of a connection, as far as it is known.
type client struct {
	conn    *transport.Conn
	key     peers.Key
	peer    peers.Peer
	serves  string // the resource that it says it serves under
	granted string // UUID of the repository that its invite opened; empty: it came without

	control  *transport.Stream
	messages *protocol.Reader // that come on it
}

// serveConn serves one connection until it ends or running does. Once stopping is done, nothing new begins.
func (s *Server) serveConn(running, stopping context.Context, conn *transport.Conn) {
	defer conn.Close(0)
	stop := context.AfterFunc(running, func() { conn.Close(uint32(protocol.CodeShutdown)) })
	defer stop()
	log := s.Log.With("peer", conn.Peer().String())
	known, ok := s.admitStranger(conn)
	if !ok {
		log.Debug("connection refused", "err", "too many of unknown keys")
		conn.Close(uint32(protocol.CodeBusy))
		return
	}
	c, err := s.greet(running, conn)
	if err != nil {
		log.Info("connection refused", "err", err)
		s.refuseConn(conn, err)
		known()
		return
	}
	known()
	log = log.With("key", c.key.String())
	log.Debug("connection accepted")
	var streams sync.WaitGroup
	defer streams.Wait()
	streams.Go(func() { s.initiations(conn.Context(), c) })
	idle := newIdleTimer(idleTimeout, func() { conn.Close(0) })
	defer idle.stop()
	defer s.live.add(c, idle)()
	for {
		stream, err := conn.AcceptStream(conn.Context())
		if err != nil {
			log.Debug("connection ended", "err", conn.Explain(err))
			return
		}
		run := &service{server: s, client: c, stream: &countedStream{Stream: stream}, log: log}
		release, ok := s.streams.take(c.key, maxKeyStreams, maxConnections*maxKeyStreams)
		if !ok {
			run.cancel(protocol.CodeBusy)
			continue
		}
		idle.begin()
		streams.Go(func() {
			defer release()
			defer idle.end()
			run.serve(conn.Context(), stopping)
		})
	}
}

// greet exchanges hellos on the control stream, redeems an invite, and finds out who the peer is.
func (s *Server) greet(ctx context.Context, conn *transport.Conn) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	control, err := conn.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	_ = control.SetDeadline(time.Now().Add(helloTimeout)) // fails only on a stream that has ended, as the read does
	messages := protocol.NewReader(control)
	m, err := messages.Next()
	if err != nil {
		return nil, err
	}
	hello, ok := m.(*protocol.Hello)
	if !ok {
		return nil, &protocol.Refuse{Code: protocol.CodeProtocol, Text: "expected a hello"}
	}
	ours := &protocol.Hello{Major: protocol.Major, Minor: protocol.Minor, Software: s.Software, Resource: s.Resource}
	c, err := s.identify(ctx, conn, hello)
	switch {
	case err == nil:
		c.control, c.messages = control, messages
		ours.Granted = c.granted
		err = s.greetBack(ctx, c, hello, ours)
	case errors.Is(err, protocol.CodeVersion):
		err = errors.Join(err, protocol.Write(control, ours))
	}
	var refusal *protocol.Refuse
	if errors.As(err, &refusal) {
		_ = protocol.Write(control, refusal) // the refusal itself is reported
	}
	_ = control.SetDeadline(time.Time{})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// identify says who the peer is by its key, which TLS has proved.
func (s *Server) identify(ctx context.Context, conn *transport.Conn, hello *protocol.Hello) (*client, error) {
	if hello.Major != protocol.Major {
		return nil, &protocol.Refuse{Code: protocol.CodeVersion,
			Text: fmt.Sprintf("this side speaks version %d of the protocol, the other %d: one of the two needs an update", protocol.Major, hello.Major)}
	}
	key, ok := peers.KeyOf(conn.Key())
	if !ok {
		return nil, &protocol.Refuse{Code: protocol.CodeDenied}
	}
	c := &client{conn: conn, key: key, serves: hello.Resource}
	address := conn.Peer().Bare().String()
	if len(hello.Invite) > 0 {
		invite, err := s.Store.Redeem(ctx, peers.Secret(hello.Invite), key, address, hello.Label, time.Now())
		if err != nil {
			return nil, inviteRefusal(err)
		}
		s.Log.Info("invite redeemed", "peer", address, "key", key.String(), "repository", invite.RepoName, "access", invite.Access.String(), "refs", invite.Refs.String())
		c.granted = invite.RepoUUID
	}
	peer, err := s.Store.ByKey(key)
	if err != nil {
		return nil, &protocol.Refuse{Code: protocol.CodeDenied, Text: "this key isn't known here: ask for an invite"}
	}
	c.peer = peer
	if err := s.Store.Seen(ctx, key, address); err != nil {
		s.Log.Warn("peer not noted as seen", "err", err)
	}
	if hello.Resource != "" { // where its serve is told when we come online
		if err := s.Store.Reachable(ctx, key, address, hello.Resource); err != nil {
			s.Log.Warn("not noted where a peer serves", "err", err)
		}
	}
	return c, nil
}

func inviteRefusal(err error) error {
	code := protocol.CodeInternal
	switch {
	case errors.Is(err, peers.ErrInviteUsed):
		code = protocol.CodeInviteUsed
	case errors.Is(err, peers.ErrInviteExpired):
		code = protocol.CodeInviteExpired
	case errors.Is(err, peers.ErrInviteUnknown):
		code = protocol.CodeInviteUnknown
	}
	return &protocol.Refuse{Code: code}
}

// refuseConn gives the peer time to read why before the connection is closed.
func (s *Server) refuseConn(conn *transport.Conn, err error) {
	code := protocol.CodeProtocol
	var refusal *protocol.Refuse
	if errors.As(err, &refusal) {
		code = refusal.Code
	}
	select {
	case <-conn.Context().Done():
	case <-time.After(refusalGrace):
	}
	conn.Close(uint32(code))
}
