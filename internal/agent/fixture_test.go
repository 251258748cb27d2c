package agent_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

const (
	deadline = 30 * time.Second
	login    = "alice"
	peersJID = "bob@localhost/git-1"
)

var request = agent.Request{Login: login, To: jid.MustParse("bob@localhost"), Key: make(ed25519.PublicKey, ed25519.PublicKeySize), Timeout: deadline}

// A peer is the far end of a stream that the agent opened: pipes, as narrow as they can be.
type peer struct {
	io.Reader // what was written to the stream
	io.Writer // to be read from it
	stream    *stream
}

// A stream is what the agent has of it.
type stream struct {
	in  *io.PipeReader
	out *io.PipeWriter

	mu        sync.Mutex
	code      protocol.Code
	path      atomic.Pointer[transport.Path]
	cancelled chan struct{}
	closed    chan struct{}
}

func newStream() (*stream, *peer) {
	downIn, downOut := io.Pipe()
	upIn, upOut := io.Pipe()
	s := &stream{in: downIn, out: upOut, cancelled: make(chan struct{}), closed: make(chan struct{})}
	s.path.Store(&transport.Path{Why: "by our settings"})
	return s, &peer{upIn, downOut, s}
}

func (s *stream) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *stream) Write(p []byte) (int, error) { return s.out.Write(p) }
func (s *stream) CloseWrite() error           { return s.out.Close() }
func (s *stream) Close()                      { close(s.closed) }
func (s *stream) Path() transport.Path        { return *s.path.Load() }

func (s *stream) Cancel(code protocol.Code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.code == 0 {
		s.code = code
		close(s.cancelled)
	}
	_ = s.in.CloseWithError(errors.New("cancelled"))
	_ = s.out.CloseWithError(errors.New("cancelled"))
}

// awaitCancel is the code that the peer was told.
func (p *peer) awaitCancel(t *testing.T) protocol.Code {
	t.Helper()
	await(t, p.stream.cancelled, "the stream to be cancelled")
	p.stream.mu.Lock()
	defer p.stream.mu.Unlock()
	return p.stream.code
}

func await[T any](t *testing.T, event <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-event:
	case <-time.After(deadline):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// A fixture is a running agent whose streams lead to peers.
type fixture struct {
	dir   string
	peers chan *peer
	stop  context.CancelFunc
	ended chan error
}

// start runs an agent; what is nil in s is filled in.
func start(t *testing.T, s *agent.Server) *fixture {
	t.Helper()
	f := &fixture{dir: t.TempDir(), peers: make(chan *peer, 100), ended: make(chan error, 1)}
	if err := os.Chmod(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.Login = login
	if s.Log == nil {
		s.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if s.Ready == nil {
		s.Ready = func(context.Context) error { return nil }
	}
	if s.Open == nil {
		s.Open = func(context.Context, jid.JID, ed25519.PublicKey) (agent.Stream, string, error) {
			stream, peer := newStream()
			f.peers <- peer
			return stream, peersJID, nil
		}
	}
	l, err := agent.Listen(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() { f.ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := await(t, f.ended, "the agent to end"); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(f.dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return f
}

// dial connects, and returns both ends.
func (f *fixture) dial(t *testing.T) (*agent.Client, *peer) {
	t.Helper()
	return f.dialFor(t, deadline)
}

func (f *fixture) dialFor(t *testing.T, timeout time.Duration) (*agent.Client, *peer) {
	t.Helper()
	r := request
	r.Timeout = timeout
	c, err := agent.Dial(t.Context(), f.dir, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, await(t, f.peers, "a stream")
}

func frame(t byte, payload string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(t)<<24|uint32(len(payload))), payload...)
}

func answer(t *testing.T, conn net.Conn, kind byte, payload string) {
	t.Helper()
	if _, err := conn.Write(frame(kind, payload)); err != nil {
		t.Error(err)
	}
}

// fakeAgent listens as an agent does, reads the request and then does as it is told.
func fakeAgent(t *testing.T, act func(conn net.Conn)) (dir string, conns chan net.Conn) {
	t.Helper()
	dir, conns = privateDir(t), make(chan net.Conn, 1)
	l, err := agent.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 1000)) // the request
		act(conn)
		conns <- conn
	}()
	return dir, conns
}

func privateDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}
