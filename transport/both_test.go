package transport_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// echoBytes is more than may be on its way at once.
const echoBytes = 3 << 20

// Two endpoints that serve dial each other at the same moment: both connections live beside each other, and
// data flows on both at once.
func TestBothDial(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		a, b := configFor(t, s, "alice", "git-a"), configFor(t, s, "bob", "git-b")
		a.Serve, a.Admit = true, b.Account.Equal
		b.Serve, b.Admit = true, a.Account.Equal
		alice, bob := start(t, a), start(t, b)
		for range 3 { // the second round dials beside connections that are there
			var both sync.WaitGroup
			both.Go(func() { dialAndEcho(t, alice, bob.JID(), public(b)) })
			both.Go(func() { dialAndEcho(t, bob, alice.JID(), public(a)) })
			both.Go(func() { acceptAndEcho(t, alice) })
			both.Go(func() { acceptAndEcho(t, bob) })
			both.Wait()
		}
	})
}

func dialAndEcho(t *testing.T, e *transport.Endpoint, to jid.JID, key ed25519.PublicKey) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	conn, err := e.Dial(ctx, to, key, nil)
	if err != nil {
		t.Error(err)
		return
	}
	stream, err := conn.OpenStream(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	_ = stream.SetDeadline(time.Now().Add(deadline))
	data := random(echoBytes)
	sent := make(chan error, 1)
	go func() {
		_, err := stream.Write(data)
		sent <- errors.Join(err, stream.Close())
	}()
	got, err := io.ReadAll(stream)
	if err := errors.Join(err, <-sent); err != nil {
		t.Errorf("to %s: %v", to, err)
	} else if !bytes.Equal(got, data) {
		t.Errorf("to %s: %d bytes came back of %d, or others", to, len(got), len(data))
	}
}

func acceptAndEcho(t *testing.T, e *transport.Endpoint) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	conn, err := e.Accept(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	_ = stream.SetDeadline(time.Now().Add(deadline))
	if _, err := io.Copy(stream, stream); err != nil {
		t.Error(err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
}
