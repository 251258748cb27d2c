package serve_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/xmppserver"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

const (
	deadline = 30 * time.Second
	clientA  = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0001"
)

// A world is an XMPP server with bob, who serves, and guests.
type world struct {
	t       *testing.T
	xmpp    *xmppserver.Server
	store   *peers.Store
	server  *serve.Server
	bob     *transport.Endpoint
	bobKey  ed25519.PublicKey
	repos   map[string]serve.Entry
	stop    context.CancelFunc
	stopped chan error
}

// newWorld serves repositories of the given names; timeout is that of services.
func newWorld(t *testing.T, timeout time.Duration, names ...string) *world {
	t.Helper()
	home := t.TempDir()
	for key, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1",
		"GORACE": "atexit_sleep_ms=0", // hooks are this binary, and so is what keeps receive-pack
	} {
		t.Setenv(key, value)
	}
	w := &world{t: t, store: peers.Open(filepath.Join(home, "keys")), repos: map[string]serve.Entry{}, stopped: make(chan error, 1)}
	if err := os.Mkdir(filepath.Join(home, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, name := range names {
		path := filepath.Join(home, name)
		git(t, home, "init", "--quiet", "--bare", path)
		paths = append(paths, path)
	}
	catalog, err := serve.NewCatalog(t.Context(), paths, "")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := catalog.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		w.repos[names[i]] = e
	}
	w.startXMPP()
	cfg := w.config("bob")
	cfg.Serve, cfg.Admit = true, serve.Admit(w.store, slog.New(slog.DiscardHandler))
	w.bob, w.bobKey = w.endpoint(cfg), cfg.Identity.Public().(ed25519.PublicKey)
	server := &serve.Server{Endpoint: w.bob, Store: w.store, Catalog: catalog, Hooks: repo.HooksDir(home), Resource: "git-bob", Software: "test", Timeout: timeout, Log: slog.New(slog.DiscardHandler), Pushes: 4, Fetches: 8}
	ctx, stop := context.WithCancel(context.Background())
	w.server, w.stop = server, stop
	go func() { w.stopped <- server.Run(ctx) }()
	t.Cleanup(w.shutdown)
	return w
}

func (w *world) startXMPP() {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := xmppserver.Listen(ctx, xmppserver.Config{Addr: "127.0.0.1:0", Accounts: map[string]string{"alice": "a", "bob": "b", "carol": "c"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.xmpp = s
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		<-ended
	})
}

func (w *world) shutdown() {
	w.stop()
	select {
	case err := <-w.stopped:
		w.stopped <- nil
		if err != nil {
			w.t.Error(err)
		}
	case <-time.After(deadline):
		w.t.Error("serve doesn't stop")
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) config(user string) transport.Config {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.xmpp.CertificatePEM())
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return transport.Config{
		Account: jid.MustParse(user + "@localhost"), Password: user[:1], Resource: "git-" + user, Server: w.xmpp.Addr().String(),
		RootCAs: pool, Identity: key, Software: "test", Timeout: deadline,
	}
}

func (w *world) endpoint(cfg transport.Config) *transport.Endpoint {
	w.t.Helper()
	e, err := transport.Start(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(e.Close)
	return e
}

// A guest is a connection to bob's serve, with its control stream.
type guest struct {
	*world
	conn    *transport.Conn
	control *transport.Stream
	replies *protocol.Reader
}

// guest connects as a user; grants says what its key may do.
func (w *world) guest(user string, grants map[string]peers.Access) *guest {
	w.t.Helper()
	cfg := w.config(user)
	for name, access := range grants {
		w.introduce(keyOf(cfg), cfg.Account.String(), w.repos[name].UUID, access)
	}
	return w.connect(cfg)
}

// keyOf is the public key of a configuration's identity.
func keyOf(cfg transport.Config) peers.Key {
	key, _ := peers.KeyOf(cfg.Identity.Public().(ed25519.PublicKey))
	return key
}

// connect connects to bob's serve.
func (w *world) connect(cfg transport.Config) *guest {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	conn, err := w.endpoint(cfg).Dial(ctx, w.bob.JID(), w.bobKey, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close(0) })
	control, err := conn.OpenStream(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = control.SetDeadline(time.Now().Add(deadline))
	return &guest{w, conn, control, protocol.NewReader(control)}
}

// introduce makes a key known and gives it access, by an invite as in life.
func (w *world) introduce(key peers.Key, address, uuid string, access peers.Access) {
	w.t.Helper()
	secret, err := w.store.NewInvite(w.t.Context(), peers.InviteRequest{RepoUUID: uuid, Access: max(access, peers.Read), Expires: time.Hour})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.Redeem(w.t.Context(), secret, key, address, "", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	if access == peers.None {
		if err := w.store.SetAccess(w.t.Context(), key, []string{uuid}, access); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (g *guest) hello() *guest {
	g.t.Helper()
	if err := protocol.Write(g.control, &protocol.Hello{Major: protocol.Major}); err != nil {
		g.t.Fatal(err)
	}
	m, err := g.replies.Next()
	if hello, ok := m.(*protocol.Hello); err != nil || !ok || hello.Major != protocol.Major || hello.Resource != "git-bob" {
		g.t.Fatalf("answer to hello: %+v, %v", m, err)
	}
	return g
}

// open asks for a service and returns its stream.
func (g *guest) open(open *protocol.Open) (*transport.Stream, *protocol.Reader) {
	g.t.Helper()
	s, err := g.conn.OpenStream(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	_ = s.SetDeadline(time.Now().Add(deadline))
	if err := protocol.Write(s, open); err != nil {
		g.t.Fatal(err)
	}
	return s, protocol.NewReader(s)
}

// refused asks for a service and expects a refusal.
func (g *guest) refused(open *protocol.Open, code protocol.Code) *protocol.Refuse {
	g.t.Helper()
	_, r := g.open(open)
	m, err := r.Next()
	refusal, ok := m.(*protocol.Refuse)
	if err != nil || !ok || refusal.Code != code {
		g.t.Errorf("%+v is answered with %+v, %v; want %v", open, m, err, code)
		return &protocol.Refuse{}
	}
	if _, err := r.Next(); err != io.EOF {
		g.t.Errorf("after the refusal: %v", err)
	}
	return refusal
}

// fetches asks for the refs of a repository, to the end.
func (g *guest) fetches(name string) {
	g.t.Helper()
	s, r := g.open(&protocol.Open{Service: protocol.UploadPack, Repository: name})
	if m, err := r.Next(); err != nil || m.(*protocol.Accept).Repository != g.repos[name].UUID {
		g.t.Fatalf("%+v, %v", m, err)
	}
	if err := protocol.Write(s, protocol.Data("0000")); err != nil {
		g.t.Fatal(err)
	}
	for {
		m, err := r.Next()
		if err != nil {
			g.t.Fatal(err)
		}
		if done, ok := m.(*protocol.Done); ok {
			if done.Status != 0 || done.Code != 0 {
				g.t.Errorf("ended with %+v", done)
			}
			return
		}
	}
}

// closed waits for the end of the connection and returns its code.
func (g *guest) closed() protocol.Code {
	g.t.Helper()
	select {
	case <-g.conn.Context().Done():
	case <-time.After(deadline):
		g.t.Fatal("the connection stays open")
	}
	var closed *transport.ClosedError
	if err := g.conn.Explain(context.Cause(g.conn.Context())); !errors.As(err, &closed) {
		g.t.Fatal(err)
	}
	return protocol.Code(closed.Code)
}
