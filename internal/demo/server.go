package demo

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"

	"git-remote-xmpp/internal/xmppserver"
)

// A server is the embedded XMPP server while it runs.
type server struct {
	addr      string
	caFile    string
	passwords map[string]string // by user
	cancel    context.CancelFunc
	ended     chan error
}

// startServer starts the server on a free port of loopback, with accounts at localhost. It runs until stop, not
// until ctx is done: those who use it are to end first.
func startServer(ctx context.Context, dir string, users ...string) (*server, error) {
	s := &server{caFile: filepath.Join(dir, "ca.pem"), passwords: make(map[string]string), ended: make(chan error, 1)}
	for _, user := range users {
		s.passwords[user] = rand.Text()
	}
	listening, err := xmppserver.Listen(ctx, xmppserver.Config{Addr: "127.0.0.1:0", Accounts: s.passwords})
	if err != nil {
		return nil, err
	}
	s.addr = listening.Addr().String()
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() { s.ended <- listening.Serve(ctx) }()
	if err := os.WriteFile(s.caFile, listening.CertificatePEM(), 0o600); err != nil {
		_ = s.stop() // the first error counts
		return nil, err
	}
	return s, nil
}

// stop ends the server and waits for it.
func (s *server) stop() error {
	s.cancel()
	return <-s.ended
}
