package syncer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/internal/xmppserver"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

const (
	deadline = 30 * time.Second
	// UUIDs of repositories of peers.
	uuid1 = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0001"
	uuid2 = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0002"
)

// The test binary is the helper of the pushes: one that hangs, whatever it is asked and told.
func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "git-remote-") {
		if file := os.Getenv("HELPER_RUNS"); file != "" {
			_ = os.WriteFile(file, nil, 0o600) // the test waits for it
		}
		_, _ = io.Copy(io.Discard, os.Stdin)
		time.Sleep(deadline)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A world is an XMPP server, and bob, who keeps one repository in step.
type world struct {
	t       *testing.T
	dir     string
	xmpp    *xmppserver.Server
	store   *peers.Store
	ours    *repo.Repo
	uuid    string
	bob     *transport.Endpoint
	pool    *client.Pool
	syncer  *syncer.Syncer
	pushes  chan syncer.Push // whose turn it would be
	turn    func(context.Context, syncer.Push) (func(), error)
	timeout time.Duration
}

// newWorld makes everything but starts nothing: the repository is to be prepared.
func newWorld(t *testing.T) *world {
	t.Helper()
	home := t.TempDir()
	for key, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "GORACE": "atexit_sleep_ms=0",
		"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x",
	} {
		t.Setenv(key, value)
	}
	w := &world{t: t, dir: filepath.Join(home, "proj"), store: peers.Open(filepath.Join(home, "keys")), pushes: make(chan syncer.Push, 1000), timeout: deadline}
	must(t, os.Mkdir(filepath.Join(home, "keys"), 0o700))
	w.git("init", "--quiet", "--initial-branch=main", w.dir)
	w.git("-C", w.dir, "config", "xmpp.sync", "true")
	w.commit("main")
	var err error
	w.ours, err = repo.Open(t.Context(), w.dir)
	must(t, err)
	w.uuid, err = w.ours.UUID(t.Context())
	must(t, err)
	w.listen()
	w.turn = func(_ context.Context, p syncer.Push) (func(), error) {
		w.pushes <- p
		return nil, io.ErrClosedPipe
	}
	w.syncer = w.newSyncer()
	return w
}

func (w *world) listen() {
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	w.xmpp, err = xmppserver.Listen(ctx, xmppserver.Config{Addr: "127.0.0.1:0", Accounts: map[string]string{"alice": "a", "bob": "b", "carol": "c"}})
	must(w.t, err)
	ended := make(chan error, 1)
	go func() { ended <- w.xmpp.Serve(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// newSyncer makes one that has yet to be started.
func (w *world) newSyncer() *syncer.Syncer {
	home := filepath.Dir(w.dir)
	return syncer.New(syncer.Config{
		Store: w.store, Dir: filepath.Join(home, "keys"), Hooks: repo.HooksDir(home), Log: slog.New(slog.DiscardHandler), Timeout: w.timeout,
		Repositories: func(ctx context.Context) ([]syncer.Repository, error) {
			r, err := w.repository(ctx)
			return []syncer.Repository{r}, err
		},
		Turn: func(ctx context.Context, p syncer.Push) (func(), error) { return w.turn(ctx, p) },
	})
}

func (w *world) repository(ctx context.Context) (syncer.Repository, error) {
	settings, err := config.Load(ctx, w.dir, repo.Environ())
	return syncer.Repository{Repo: w.ours, UUID: w.uuid, Name: "proj", Settings: settings}, err
}

// start logs bob in and starts his syncer.
func (w *world) start() *world {
	w.t.Helper()
	w.bob = w.endpoint("bob", newKey(w.t), "git-run", w.syncer.Presence, w.syncer.Linked)
	w.pool = client.NewPool(client.Options{Dialer: w.bob, Store: w.store, Account: jid.MustParse("bob@localhost"), Software: "test"})
	w.t.Cleanup(w.pool.Close)
	w.t.Cleanup(w.syncer.Close)
	must(w.t, w.syncer.Start(w.t.Context(), w.pool, w.bob.Greet))
	return w
}

func (w *world) endpoint(user string, key ed25519.PrivateKey, resource string, presence func(jid.JID, bool), linked func()) *transport.Endpoint {
	w.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.xmpp.CertificatePEM())
	e, err := transport.Start(w.t.Context(), transport.Config{
		Account: jid.MustParse(user + "@localhost"), Password: user[:1], Resource: resource, Server: w.xmpp.Addr().String(), RootCAs: roots,
		Identity: key, Software: "test", Timeout: deadline, Serve: true, Admit: func(jid.JID) bool { return true },
		Presence: presence, Linked: linked,
	})
	must(w.t, err)
	w.t.Cleanup(e.Close)
	return e
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return key
}

// git runs git, and returns what it says.
func (w *world) git(args ...string) string {
	w.t.Helper()
	out, err := exec.CommandContext(w.t.Context(), "git", args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit makes a branch of one new commit.
func (w *world) commit(branch string) string {
	w.t.Helper()
	tree := w.git("-C", w.dir, "hash-object", "-t", "tree", "-w", "/dev/null")
	id := w.git("-C", w.dir, "commit-tree", "-m", branch, tree)
	w.git("-C", w.dir, "update-ref", "refs/heads/"+branch, id)
	return id
}

// waitTurn has pushes wait for a turn that is told.
func (w *world) waitTurn(begin <-chan struct{}) func(context.Context, syncer.Push) (func(), error) {
	return func(ctx context.Context, p syncer.Push) (func(), error) {
		w.pushes <- p
		select {
		case <-begin:
			return func() {}, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get waits for something to come.
func get[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(deadline):
		t.Fatalf("no %s", what)
		panic("not reached")
	}
}

// within fails the test if something isn't done in time.
func within(t *testing.T, most time.Duration, what string, do func()) {
	t.Helper()
	var task sync.WaitGroup
	done := make(chan struct{})
	task.Go(func() {
		defer close(done)
		do()
	})
	select {
	case <-done:
	case <-time.After(most):
		t.Fatalf("%s isn't done after %v", what, most)
	}
}

// await waits for a condition.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after %v: %s", deadline, what)
		}
	}
}
