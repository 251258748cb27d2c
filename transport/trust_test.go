package transport_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// dialError dials and expects a failure, well before any timeout of QUIC's.
func dialError(t *testing.T, from *transport.Endpoint, to jid.JID, key ed25519.PublicKey, tag []byte) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	c, err := from.Dial(ctx, to, key, tag)
	if err == nil {
		c.Close(0)
		t.Fatal("connected")
	}
	return err
}

func TestNobodyThere(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		cfg := configFor(t, s, "alice", "git-a")
		alice := start(t, cfg)
		for _, address := range []string{"bob@localhost/git-b", "nobody@localhost/git-b", "bob@nowhere.invalid/git-b"} {
			if err := dialError(t, alice, jid.MustParse(address), public(cfg), nil); !errors.Is(err, transport.ErrNobody) {
				t.Errorf("%s: %v", address, err)
			}
		}
	})
}

// A stranger gets the same answer as if nobody were there, and its packets don't reach QUIC.
func TestStranger(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		_, bob, key := pair(t, s)
		carol := start(t, configFor(t, s, "carol", "git-c"))
		if err := dialError(t, carol, bob.JID(), key, nil); !errors.Is(err, transport.ErrNobody) {
			t.Error(err)
		}
	})
}

func TestKeyChanged(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		alice, bob, key := pair(t, s)
		other, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		err = dialError(t, alice, bob.JID(), other, nil)
		var changed *transport.KeyChangedError
		if !errors.Is(err, transport.ErrKeyChanged) || !errors.As(err, &changed) || !changed.Got.Equal(key) || !changed.Want.Equal(other) {
			t.Error(err)
		}
	})
}

// The tag of an invite lets a stranger in; a wrong one is told.
func TestKnock(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		tag := bytes.Repeat([]byte{7}, 16)
		b := configFor(t, s, "bob", "git-b")
		b.Serve = true
		b.AdmitKnock = func(from jid.JID, got []byte) bool {
			return from.String() == "alice@localhost" && bytes.Equal(got, tag)
		}
		bob := start(t, b)
		alice := start(t, configFor(t, s, "alice", "git-a"))
		if err := dialError(t, alice, bob.JID(), public(b), bytes.Repeat([]byte{8}, 16)); !errors.Is(err, transport.ErrKnock) {
			t.Errorf("wrong tag: %v", err)
		}
		if err := dialError(t, alice, bob.JID(), public(b), nil); !errors.Is(err, transport.ErrNobody) {
			t.Errorf("no tag: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		if _, err := alice.Dial(ctx, bob.JID(), public(b), tag); err != nil {
			t.Errorf("right tag: %v", err)
		}
	})
}

func TestLoginFailures(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		for name, c := range map[string]struct {
			change   func(*transport.Config)
			password bool
		}{
			"wrong password":                  {func(c *transport.Config) { c.Password = "wrong" }, true},
			"unknown account":                 {func(c *transport.Config) { c.Account = jid.MustParse("nobody@localhost") }, true},
			"system's roots":                  {func(c *transport.Config) { c.RootCAs = nil }, false},
			"certificate's name":              {func(c *transport.Config) { c.Account = jid.MustParse("alice@example.org") }, false},
			"nothing listens":                 {func(c *transport.Config) { c.Server = "127.0.0.1:1" }, false},
			"direct TLS to the STARTTLS port": {func(c *transport.Config) { c.Server = "tls://" + s.Addr }, false},
		} {
			cfg := configFor(t, s, "alice", "git-a")
			c.change(&cfg)
			ctx, cancel := context.WithTimeout(context.Background(), deadline)
			e, err := transport.Start(ctx, cfg)
			cancel()
			if err == nil {
				e.Close()
				t.Errorf("%s: logged in", name)
				continue
			}
			if !errors.Is(err, transport.ErrServer) || errors.Is(err, transport.ErrPassword) != c.password {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestDirectTLS(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		cfg := configFor(t, s, "alice", "git-a")
		cfg.Server = "tls://" + s.DirectTLSAddr
		if got, want := start(t, cfg).JID().String(), "alice@localhost/git-a"; got != want {
			t.Errorf("logged in as %s, want %s", got, want)
		}
	})
}
