package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/xmppserver"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

const deadline = 30 * time.Second

// A world is alice, who connects, on an embedded server, and what she knows.
type world struct {
	t     *testing.T
	xmpp  *xmppserver.Server
	store *peers.Store
	alice *transport.Endpoint
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := xmppserver.Listen(ctx, xmppserver.Config{Addr: "127.0.0.1:0", Accounts: map[string]string{"alice": "a", "bob": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	w := &world{t: t, xmpp: s, store: peers.Open(t.TempDir())}
	w.alice = w.start("alice", "git-run", newKey(t), false)
	return w
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (w *world) start(user, resource string, key ed25519.PrivateKey, serve bool) *transport.Endpoint {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.xmpp.CertificatePEM())
	everybody := func(jid.JID) bool { return true }
	e, err := transport.Start(w.t.Context(), transport.Config{
		Account: jid.MustParse(user + "@localhost"), Password: user[:1], Resource: resource, Server: w.xmpp.Addr().String(), RootCAs: pool,
		Identity: key, Software: "test", Timeout: deadline, Serve: serve, Admit: everybody,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(e.Close)
	return e
}

// bob serves under a resource and answers the first hello with messages.
func (w *world) bob(id [8]byte, answer ...protocol.Message) (key peers.Key, hellos <-chan *protocol.Hello) {
	w.t.Helper()
	private := newKey(w.t)
	e := w.start("bob", peers.ResourceName(id), private, true)
	got := make(chan *protocol.Hello, 1)
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	w.t.Cleanup(cancel)
	go func() {
		defer close(got)
		conn, err := e.Accept(ctx)
		if err != nil {
			return
		}
		control, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		m, err := protocol.NewReader(control).Next()
		if hello, ok := m.(*protocol.Hello); err == nil && ok {
			got <- hello
		}
		for _, m := range answer {
			_ = protocol.Write(control, m) // alice may have gone
		}
	}()
	key, _ = peers.KeyOf(private.Public().(ed25519.PublicKey))
	return key, got
}

func (w *world) pin(key peers.Key, id [8]byte) {
	w.t.Helper()
	if err := w.store.Pin(w.t.Context(), key, "bob@localhost", peers.ResourceName(id), ""); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) connect(invite string) (*client.Session, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	search, err := client.NewSearch(w.store, bobsAddress, "")
	if invite != "" {
		search, err = client.NewInviteSearch(bobsAddress, invite)
	}
	if err != nil {
		return nil, err
	}
	var s *client.Session
	for {
		var target client.Target
		if target, err = search.Next(err); err != nil {
			return nil, err
		}
		s, err = client.Connect(ctx, client.Options{
			Dialer: w.alice, Store: w.store, Account: jid.MustParse("alice@localhost"), Address: bobsAddress, Software: "test",
		}, target)
		if err == nil {
			break
		}
	}
	w.t.Cleanup(s.Close)
	return s, nil
}

var hello = &protocol.Hello{Major: protocol.Major}

func TestNoKeyKnown(t *testing.T) {
	if _, err := newWorld(t).connect(""); !errors.Is(err, client.ErrNoKey) {
		t.Error(err)
	}
}

func TestDamagedInvite(t *testing.T) {
	if _, err := newWorld(t).connect("nonsense"); !errors.Is(err, peers.ErrBadInvite) {
		t.Error(err)
	}
}

// Of several peers behind an address the one that is online is taken.
func TestOneOfTwoIsOnline(t *testing.T) {
	w := newWorld(t)
	w.pin(peers.Key{1}, [8]byte{1})
	w.pin(peers.Key{2}, [8]byte{2})
	_, err := w.connect("")
	if !errors.Is(err, transport.ErrNobody) || !strings.Contains(err.Error(), "none of the 2 peers known at bob@localhost") {
		t.Errorf("nobody online: %v", err)
	}
	key, hellos := w.bob([8]byte{3}, hello)
	w.pin(key, [8]byte{3})
	s, err := w.connect("")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Peer().Resourcepart(), peers.ResourceName([8]byte{3}); got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
	if got := <-hellos; got == nil || got.Major != protocol.Major || len(got.Invite) != 0 {
		t.Errorf("hello %+v", got)
	}
}

// With an invite the secret is shown, the answer waited for and the key kept.
func TestInvite(t *testing.T) {
	w := newWorld(t)
	key, hellos := w.bob([8]byte{3}, hello)
	token := peers.Token{Key: key, Resource: [8]byte{3}, Secret: peers.Secret{7}}
	if _, err := w.connect(token.String()); err != nil {
		t.Fatal(err)
	}
	if got := <-hellos; got == nil || string(got.Invite) != string(token.Secret[:]) {
		t.Errorf("hello %+v", got)
	}
	pinned, err := w.store.Pinned("bob@localhost")
	if err != nil || len(pinned) != 1 || pinned[0].Key != key || pinned[0].Resource != peers.ResourceName([8]byte{3}) {
		t.Errorf("pinned %+v, %v", pinned, err)
	}
}

// What the peer says on the control stream is what the user hears, and nothing is kept.
func TestRefusedHellos(t *testing.T) {
	for name, c := range map[string]struct {
		answer []protocol.Message
		want   protocol.Code
	}{
		"used invite":   {[]protocol.Message{&protocol.Refuse{Code: protocol.CodeInviteUsed}}, protocol.CodeInviteUsed},
		"other version": {[]protocol.Message{&protocol.Hello{Major: 2}, &protocol.Refuse{Code: protocol.CodeVersion}}, protocol.CodeVersion},
	} {
		w := newWorld(t)
		key, _ := w.bob([8]byte{3}, c.answer...)
		_, err := w.connect(peers.Token{Key: key, Resource: [8]byte{3}}.String())
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if pinned, err := w.store.Pinned("bob@localhost"); err != nil || len(pinned) != 0 {
			t.Errorf("%s: pinned %+v, %v", name, pinned, err)
		}
	}
}

// The key behind the address is another one than the pinned.
func TestOtherKey(t *testing.T) {
	w := newWorld(t)
	w.bob([8]byte{3}, hello)
	w.pin(peers.Key{1}, [8]byte{3})
	if _, err := w.connect(""); !errors.Is(err, transport.ErrKeyChanged) {
		t.Error(err)
	}
}
