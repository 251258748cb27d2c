package xmppserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stream"
)

// Config says what a server serves. Its zero value has no accounts.
type Config struct {
	// Addr is where to listen, as "127.0.0.1:0". There is one TCP port, for
	// STARTTLS and for direct TLS.
	Addr string
	// Domain is the one that is served; default "localhost".
	Domain string
	// Accounts are passwords by local part. They are kept salted only.
	Accounts map[string]string
	// Subscriptions are pairs of accounts that see each other's presence. Nil:
	// all accounts see each other.
	Subscriptions [][2]string
	// Certificate is the server's. Nil: one is made on the spot, for Domain,
	// localhost and the loopback addresses.
	Certificate *tls.Certificate
	// Mechanisms are those of SASL that are offered, of SCRAM-SHA-256 and SCRAM-SHA-1, each also with
	// -PLUS, and PLAIN. Nil: all.
	Mechanisms []string
	// MaxStanzaBytes is the largest stanza accepted; default 262,144.
	MaxStanzaBytes int
	// Log gets who comes and goes. Nil: nothing is logged.
	Log *slog.Logger

	limits *limits // nil: defaultLimits
}

// Server is an XMPP server that listens.
type Server struct {
	listener       net.Listener
	certificate    []byte // PEM
	tls            *tls.Config
	log            *slog.Logger
	limits         limits
	maxStanzaBytes int
	mechanisms     []string
	accounts       *accounts
	sessions       sessions
	chunks         sync.Pool

	running sync.WaitGroup // a goroutine per connection

	mu      sync.Mutex
	closed  bool
	pending map[net.Conn]struct{} // connections without a bound resource
	clients map[*client]struct{}
}

// Listen checks cfg and opens the port. Clients that connect wait until Serve
// runs.
func Listen(ctx context.Context, cfg Config) (*Server, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, fmt.Errorf("set up XMPP server: %w", err)
	}
	var lc net.ListenConfig
	if s.listener, err = lc.Listen(ctx, "tcp", cfg.Addr); err != nil {
		return nil, fmt.Errorf("listen for XMPP clients: %w", err)
	}
	return s, nil
}

func newServer(cfg Config) (*Server, error) {
	if cfg.Domain == "" {
		cfg.Domain = "localhost"
	}
	domain, err := jid.New("", cfg.Domain, "")
	if err != nil {
		return nil, fmt.Errorf("domain %q: %w", cfg.Domain, err)
	}
	accounts, err := newAccounts(domain, cfg.Accounts, cfg.Subscriptions)
	if err != nil {
		return nil, err
	}
	if cfg.Certificate == nil {
		cert, err := SelfSigned(domain.Domainpart(), certificateLifetime)
		if err != nil {
			return nil, err
		}
		cfg.Certificate = &cert
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxStanzaBytes <= 0 {
		cfg.MaxStanzaBytes = defaultMaxStanzaBytes
	}
	s := &Server{
		certificate: encodeCertificate(*cfg.Certificate),
		tls: &tls.Config{
			Certificates:                []tls.Certificate{*cfg.Certificate},
			MinVersion:                  tls.VersionTLS12,
			NextProtos:                  []string{"xmpp-client"}, // XEP-0368
			DynamicRecordSizingDisabled: true,
		},
		log:            cfg.Log,
		limits:         defaultLimits(),
		maxStanzaBytes: cfg.MaxStanzaBytes,
		mechanisms:     cfg.Mechanisms,
		accounts:       accounts,
		sessions:       sessions{online: make(map[string]map[string]*client)},
		chunks:         sync.Pool{New: func() any { return new(chunk) }},
		pending:        make(map[net.Conn]struct{}),
		clients:        make(map[*client]struct{}),
	}
	if cfg.limits != nil {
		s.limits = *cfg.limits
	}
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// CertificatePEM is what to trust in order to trust the server, where its
// certificate was made on the spot; otherwise the chain that was configured.
func (s *Server) CertificatePEM() []byte { return s.certificate }

// acceptPause is how long to wait after accepting has failed.
const acceptPause = 250 * time.Millisecond

// Serve accepts clients until ctx is done or Close is called, closes the server
// and returns when nothing is running any more. Its error is that of Close.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	defer stop()
	for {
		conn, err := s.listener.Accept()
		switch {
		case err == nil:
			s.admit(ctx, conn)
			continue
		case errors.Is(err, net.ErrClosed):
			return s.Close()
		}
		// No descriptors, most likely: some may be free in a moment.
		s.log.Error("can't accept", "reason", err)
		select {
		case <-ctx.Done():
		case <-time.After(acceptPause):
		}
	}
}

// Close ends all streams and returns when nothing is running any more. It may
// be called again, and before Serve.
func (s *Server) Close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	s.mu.Lock()
	s.closed = true
	for conn := range s.pending {
		_ = conn.Close()
	}
	for c := range s.clients {
		c.kick(stream.SystemShutdown)
	}
	s.mu.Unlock()
	s.running.Wait()
	return err
}

// admit starts to serve a connection, if there is room for one more.
func (s *Server) admit(ctx context.Context, conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := len(s.pending) >= s.limits.unauthenticated ||
		len(s.pending)+len(s.clients) >= s.limits.connections
	if s.closed || full {
		s.log.Warn("connection refused", "remote", conn.RemoteAddr(), "pending", len(s.pending), "clients", len(s.clients))
		_ = conn.Close()
		return
	}
	s.pending[conn] = struct{}{}
	s.running.Go(func() { s.handle(ctx, conn) })
}

// handle serves one connection from beginning to end.
func (s *Server) handle(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(s.limits.login))
	// Closing the connection is what ends a negotiation. With a context that
	// can be done, mellium would move the deadlines behind our back.
	c, err := s.negotiate(context.WithoutCancel(ctx), conn)
	if !s.promote(conn, c) {
		s.log.Info("no login", "remote", conn.RemoteAddr(), "reason", err)
		return
	}
	defer s.forget(c)
	s.log.Info("client came", "jid", c.jid.String(), "remote", conn.RemoteAddr())
	c.run()
}

// promote moves a connection from those pending to the clients. It is false if
// there is no client, or the server was closed meanwhile.
func (s *Server) promote(conn net.Conn, c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, conn)
	switch {
	case c == nil:
		return false
	case s.closed:
		s.discard(c)
		return false
	}
	_ = conn.SetReadDeadline(time.Time{})
	s.clients[c] = struct{}{}
	return true
}

// discard is for a client that never ran.
func (s *Server) discard(c *client) {
	s.leave(c)
	c.out.abort()
}

func (s *Server) forget(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
}
