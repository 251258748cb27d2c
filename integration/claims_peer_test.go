package integration

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// A besieged is a serve of Bob's with a repository that Alice has pushed to, also what has diverged, and another one that is nobody's business.
type besieged struct {
	*testing.T
	server     *testserver.Server
	bob, alice *home
	daemon     *daemon
	served     string
	other      string
	clone      string // Alice's
	alicesUUID string
	before     map[string]string // what lies in Bob's repositories
}

// newBesieged starts it; prepare is called with Bob's repository before.
func newBesieged(t *testing.T, prepare func(v *besieged)) *besieged {
	t.Helper()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	v := &besieged{T: t, server: s, bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice")}
	v.served, v.other = v.bob.newRepo("proj"), v.bob.newRepo("other")
	prepare(v)
	v.daemon = v.bob.serve(v.bob.dir, v.served, v.other)
	v.alice.git(v.alice.dir, "clone", "--quiet", v.bob.xmpp(v.served, "invite"), "clone")
	v.clone = filepath.Join(v.alice.dir, "clone")
	v.alice.commit(v.clone, "diverged")
	v.bob.commit(v.served, "meanwhile")
	v.alice.git(v.clone, "push", "--quiet", "origin", "main")
	v.alicesUUID = v.alice.git(v.clone, "config", "xmpp.uuid")
	if got := v.bob.git(v.served, "for-each-ref", "--format=%(refname)", "refs/synced"); got != "refs/synced/"+v.alicesUUID+"/main" {
		t.Fatalf("fallback refs: %q", got)
	}
	return v
}

// mallory is a home on Carol's account that an invite lets in.
func (v *besieged) mallory(invite ...string) *home {
	v.Helper()
	h := newHome(v, v.server, "Mallory", "carol")
	h.git(h.dir, "clone", "--quiet", v.bob.xmpp(v.served, append([]string{"invite", "--label", "Mallory"}, invite...)...), "clone")
	return h
}

// remember notes what Bob's repositories are.
func (v *besieged) remember() { v.before = snapshot(v.T, v.served, v.other) }

// unharmed fails the test unless Bob's repositories are what they were, byte for byte, and Alice is served as ever. Who may write may begin
// uploads for Git LFS: the folders for those may be there, with nothing in them.
func (v *besieged) unharmed(after string) {
	v.Helper()
	now := snapshot(v.T, v.served, v.other)
	maps.DeleteFunc(now, func(path, what string) bool {
		_, below, found := strings.Cut(path, "/.git/lfs")
		return found && v.before[path] == "" && what == "drwxr-xr-x" && (below == "" || strings.HasPrefix("/incomplete/xmpp", below) || strings.HasPrefix(below, "/incomplete/xmpp/"))
	})
	sameSnapshot(v.T, v.before, now)
	v.alice.git(v.clone, "fetch", "--quiet", "origin")
	v.alice.commit(v.clone, "unharmed-"+after)
	v.alice.git(v.clone, "push", "--quiet", "origin", "main:refs/heads/unharmed-"+after)
	if got, want := v.bob.git(v.served, "rev-parse", "unharmed-"+after), v.alice.git(v.clone, "rev-parse", "main"); got != want {
		v.Errorf("Alice has pushed %s, Bob has %s", want, got)
	}
	v.onlyOpen()
}

// onlyOpen fails the test unless all that others have asked of serve has ended.
func (v *besieged) onlyOpen() {
	v.Helper()
	await(v.T, "nothing runs or waits", func() bool {
		s := v.bob.status()
		return len(s.Running)+len(s.Waiting) == 0
	})
}

// installation is a home's key.
func (h *home) installation() *peers.Identity {
	h.t.Helper()
	id, err := peers.LoadIdentity(h.dataDir(), "")
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

// A script is a peer with the key of a home that says what it likes.
type script struct {
	testing.TB
	endpoint *transport.Endpoint
	to       jid.JID
	key      ed25519.PublicKey // Bob's
}

// script logs in to a home's account, and is to talk to Bob's serve.
func (v *besieged) script(h *home, resource string) *script {
	v.Helper()
	pem, err := os.ReadFile(v.server.CAFile)
	if err != nil {
		v.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	account := jid.MustParse(h.account)
	e, err := transport.Start(v.Context(), transport.Config{
		Account: account, Password: v.server.Accounts[account.Localpart()], Resource: resource, Server: v.server.Addr,
		RootCAs: pool, Identity: h.installation().Private, Software: "script", Version: "1", Timeout: deadline,
	})
	if err != nil {
		v.Fatal(err)
	}
	v.Cleanup(e.Close)
	return &script{TB: v, endpoint: e, to: jid.MustParse(v.daemon.jid), key: v.bob.installation().Key.Public()}
}

// A talk is a connection of a script's, with its control stream.
type talk struct {
	*script
	conn    *transport.Conn
	control *transport.Stream
	replies *protocol.Reader
}

// dial connects, and says nothing.
func (s *script) dial() *talk {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	conn, err := s.endpoint.Dial(ctx, s.to, s.key, nil)
	if err != nil {
		s.Fatal(err)
	}
	k := &talk{script: s, conn: conn}
	k.control, k.replies = k.stream()
	return k
}

// greeted connects and exchanges hellos.
func (s *script) greeted() *talk {
	s.Helper()
	k := s.dial()
	if err := protocol.Write(k.control, &protocol.Hello{Major: protocol.Major, Minor: protocol.Minor}); err != nil {
		s.Fatal(err)
	}
	if m, err := k.replies.Next(); err != nil || m.Type() != protocol.TypeHello {
		s.Fatalf("answer to a hello: %+v, %v", m, err)
	}
	return k
}

// stream opens a stream; no wait on it is longer than the deadline.
func (k *talk) stream() (*transport.Stream, *protocol.Reader) {
	k.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	stream, err := k.conn.OpenStream(ctx)
	if err != nil {
		k.Fatal(err)
	}
	_ = stream.SetDeadline(time.Now().Add(deadline)) // fails only on a stream that has ended
	return stream, protocol.NewReader(stream)
}

// opened asks for a service, and has it accepted.
func (k *talk) opened(open *protocol.Open) (*transport.Stream, *protocol.Reader) {
	k.Helper()
	stream, r := k.stream()
	if err := protocol.Write(stream, open); err != nil {
		k.Fatal(err)
	}
	for {
		m, err := r.Next()
		if err != nil {
			k.Fatalf("%+v: %v", open, err)
		}
		switch m.(type) {
		case *protocol.Queued:
		case *protocol.Accept:
			return stream, r
		default:
			k.Fatalf("%+v is answered with %+v", open, m)
		}
	}
}

// rest is all that still comes on a stream: messages other than data, all data in one, and how it ends. A stream that doesn't end fails the test.
func (k *talk) rest(r *protocol.Reader) (said []protocol.Message, data string, err error) {
	k.Helper()
	for {
		m, err := r.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			k.Error("the stream stays open")
		}
		if errors.Is(err, io.EOF) {
			return said, data, nil
		}
		if err != nil {
			return said, data, err
		}
		if d, ok := m.(protocol.Data); ok {
			data += string(d)
			continue
		}
		said = append(said, m)
	}
}
