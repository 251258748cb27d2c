package integration

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
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
	patience time.Duration // how long a transfer may take
}

// newBenchStream connects alice to bob; both log out with the test.
func newBenchStream(tb testing.TB, s *testserver.Server, data []byte) *benchStream {
	tb.Helper()
	return newBenchStreamAt(tb, benchSeat{s, "alice"}, benchSeat{s, "bob"}, data)
}

// A benchSeat is an account, and its server by the address at which it is reached.
type benchSeat struct {
	server *testserver.Server
	user   string
}

// newBenchStreamAt connects two with other settings.
func newBenchStreamAt(tb testing.TB, hers, his benchSeat, data []byte, change ...func(*transport.Config)) *benchStream {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), deadline)
	defer cancel()
	to, key := benchEndpoint(ctx, tb, his.server, his.user, true, change...)
	from, _ := benchEndpoint(ctx, tb, hers.server, hers.user, false, change...)
	dialed, err := from.Dial(ctx, to.JID(), key, nil)
	if err != nil {
		tb.Fatal(err)
	}
	accepted, err := to.Accept(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	return &benchStream{tb, dialed, accepted, data, deadline}
}

// benchEndpoint logs in with a new key and lets everybody in.
func benchEndpoint(ctx context.Context, tb testing.TB, s *testserver.Server, user string, serve bool, change ...func(*transport.Config)) (*transport.Endpoint, ed25519.PublicKey) {
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
	cfg := transport.Config{
		Account: jid.MustParse(user + "@" + s.Domain), Password: s.Accounts[user], Resource: "bench-stream", Server: s.Addr,
		RootCAs: pool, Identity: private, Serve: serve, Admit: func(jid.JID) bool { return true },
		Software: "bench", Version: "1", Timeout: deadline,
	}
	for _, f := range change {
		f(&cfg)
	}
	e, err := transport.Start(ctx, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Close)
	return e, public
}

// transfer sends all over a new stream, and returns the time until the other side has it.
func (b *benchStream) transfer() time.Duration {
	b.tb.Helper()
	took, err := b.send(b.from, b.to)
	if err != nil {
		b.tb.Fatalf("%s: %v", b.from.Peer(), b.from.Explain(err))
	}
	return took
}

// bothWays sends all in both directions at once, and returns how long each took.
func (b *benchStream) bothWays() (took [2]time.Duration) {
	b.tb.Helper()
	var errs [2]error
	var tasks sync.WaitGroup
	tasks.Go(func() { took[0], errs[0] = b.send(b.from, b.to) })
	tasks.Go(func() { took[1], errs[1] = b.send(b.to, b.from) })
	tasks.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		b.tb.Fatalf("%s: %v", b.from.Peer(), b.from.Explain(err))
	}
	return took
}

func (b *benchStream) send(from, to *transport.Conn) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(b.tb.Context(), b.patience)
	defer cancel()
	begin := time.Now()
	out, err := from.OpenStream(ctx)
	if err != nil {
		return 0, err
	}
	sent := make(chan error, 1)
	_ = out.SetWriteDeadline(time.Now().Add(b.patience)) // fails only on a stream that has ended, as the write does
	go func() {
		_, err := out.Write(b.data)
		sent <- errors.Join(err, out.Close())
	}()
	got, err := b.receive(ctx, to)
	took := time.Since(begin)
	if err := errors.Join(err, <-sent); err != nil {
		return took, err
	}
	if !bytes.Equal(got, b.data) {
		return took, fmt.Errorf("%d bytes arrived of %d, or others", len(got), len(b.data))
	}
	return took, nil
}

func (b *benchStream) receive(ctx context.Context, to *transport.Conn) ([]byte, error) {
	in, err := to.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	_ = in.SetReadDeadline(time.Now().Add(b.patience)) // as above
	got := bytes.NewBuffer(make([]byte, 0, len(b.data)+bytes.MinRead))
	_, err = io.Copy(got, in)
	return got.Bytes(), errors.Join(err, in.Close())
}
