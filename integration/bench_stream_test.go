package integration

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// A benchStream is a connection of our transport between two accounts, within this process.
type benchStream struct {
	tb       testing.TB
	from, to *transport.Conn
	data     []byte
}

// newBenchStream connects alice to bob; both log out with the test.
func newBenchStream(tb testing.TB, s *testserver.Server, data []byte) *benchStream {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), deadline)
	defer cancel()
	to, key := benchEndpoint(ctx, tb, s, "bob", true)
	from, _ := benchEndpoint(ctx, tb, s, "alice", false)
	dialed, err := from.Dial(ctx, to.JID(), key, nil)
	if err != nil {
		tb.Fatal(err)
	}
	accepted, err := to.Accept(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	return &benchStream{tb, dialed, accepted, data}
}

// benchEndpoint logs in with a new key and lets everybody in.
func benchEndpoint(ctx context.Context, tb testing.TB, s *testserver.Server, user string, serve bool) (*transport.Endpoint, ed25519.PublicKey) {
	tb.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := transport.Start(ctx, transport.Config{
		Account: jid.MustParse(user + "@" + s.Domain), Password: s.Accounts[user], Resource: "bench-stream", Server: s.Addr,
		RootCAs: pool, Identity: private, Serve: serve, Admit: func(jid.JID) bool { return true },
		Software: "bench", Version: "1", Timeout: deadline,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Close)
	return e, public
}

// transfer sends all over a new stream, and returns the time until the other side has it.
func (b *benchStream) transfer() time.Duration {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(b.tb.Context(), deadline)
	defer cancel()
	begin := time.Now()
	out, err := b.from.OpenStream(ctx)
	if err != nil {
		b.tb.Fatal(err)
	}
	sent := make(chan error, 1)
	_ = out.SetWriteDeadline(time.Now().Add(deadline)) // fails only on a stream that has ended, as the write does
	go func() {
		_, err := out.Write(b.data)
		sent <- errors.Join(err, out.Close())
	}()
	got, err := b.receive(ctx)
	took := time.Since(begin)
	if err := errors.Join(err, <-sent); err != nil {
		b.tb.Fatal(err)
	}
	if !bytes.Equal(got, b.data) {
		b.tb.Fatalf("%d bytes arrived of %d, or others", len(got), len(b.data))
	}
	return took
}

func (b *benchStream) receive(ctx context.Context) ([]byte, error) {
	in, err := b.to.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	_ = in.SetReadDeadline(time.Now().Add(deadline)) // as above
	got := bytes.NewBuffer(make([]byte, 0, len(b.data)+bytes.MinRead))
	_, err = io.Copy(got, in)
	return got.Bytes(), errors.Join(err, in.Close())
}
