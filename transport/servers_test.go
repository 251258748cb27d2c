package transport_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// deadline bounds every wait of a test.
const deadline = 60 * time.Second

// configFor is the configuration of an account on a server, with a new key.
func configFor(t testing.TB, s *testserver.Server, user, resource string) transport.Config {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	cfg := transport.Config{
		Account: jid.MustParse(user + "@" + s.Domain), Password: s.Accounts[user], Resource: resource, Server: s.Addr,
		RootCAs: pool, Identity: newKey(t), Status: "test", Software: "test", Version: "1", Timeout: deadline,
	}
	if testing.Verbose() {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return cfg
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func start(t testing.TB, cfg transport.Config) *transport.Endpoint {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	e, err := transport.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func public(cfg transport.Config) ed25519.PublicKey { return cfg.Identity.Public().(ed25519.PublicKey) }

// pair is a client that is admitted by a serving endpoint, both started.
func pair(t testing.TB, s *testserver.Server) (alice, bob *transport.Endpoint, bobKey ed25519.PublicKey) {
	a, b := configFor(t, s, "alice", "git-a"), configFor(t, s, "bob", "git-b")
	b.Serve = true
	b.Admit = func(from jid.JID) bool { return from.Equal(a.Account) }
	return start(t, a), start(t, b), public(b)
}

// connect dials and accepts.
func connect(t testing.TB, from, to *transport.Endpoint, key ed25519.PublicKey) (dialed, accepted *transport.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	dialed, err := from.Dial(ctx, to.JID(), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err = to.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return dialed, accepted
}

// transfer sends data over a new stream and reads it on the other side.
func transfer(t testing.TB, from, to *transport.Conn, data []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	out, err := from.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := out.Write(data)
		sent <- errors.Join(err, out.Close())
	}()
	in, err := to.AcceptStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_ = in.SetReadDeadline(time.Now().Add(deadline))
	got, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%d bytes arrived of %d, or others", len(got), len(data))
	}
}

func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return data
}

func TestTransfer(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		alice, bob, key := pair(t, s)
		a, b := connect(t, alice, bob, key)
		transfer(t, a, b, random(2<<20))
		transfer(t, b, a, random(2<<20))
		if b.Peer().Bare().String() != "alice@localhost" || !bytes.Equal(a.Key(), key) {
			t.Errorf("bob sees %s, alice sees the key %x", b.Peer(), a.Key())
		}
	})
}

func BenchmarkStream(b *testing.B) {
	for _, name := range []string{testserver.Prosody, testserver.Ejabberd} {
		b.Run(name, func(b *testing.B) {
			alice, bob, key := pair(b, testserver.New(b, name, testserver.Options{}))
			from, to := connect(b, alice, bob, key)
			data := random(16 << 20)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				transfer(b, from, to, data)
			}
		})
	}
}
