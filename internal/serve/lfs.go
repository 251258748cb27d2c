package serve

import (
	"context"
	"encoding/hex"
	"log/slog"
	"time"

	"git-remote-xmpp/internal/lfs"
	"git-remote-xmpp/protocol"
)

// lfs answers requests for Git LFS objects until the peer has no more.
func (j *job) lfs(ctx context.Context, reader *protocol.Reader, log *slog.Logger) error {
	dir, err := j.entry.Repo.LFSDir(ctx)
	if err != nil {
		return err
	}
	if err := j.accept(); err != nil {
		return err
	}
	server := &lfs.Server{
		Messages: &lfsMessages{job: j, reader: reader},
		Store:    lfs.Store{Dir: dir},
		Owner:    hex.EncodeToString(j.client.key[:]),
		Service:  j.open.Service,
		Log:      log,
	}
	return server.Serve(ctx)
}

// lfsMessages are the messages of a job, for one goroutine.
type lfsMessages struct {
	*job
	reader *protocol.Reader
	beat   time.Time // the last one
}

func (l *lfsMessages) Next() (protocol.Message, error) {
	m, err := l.next(l.reader)
	l.moved(err)
	return m, err
}

func (l *lfsMessages) Write(m protocol.Message) error {
	err := l.write(m)
	l.moved(err)
	return err
}

// moved tells the client's pushes that it moves.
func (l *lfsMessages) moved(err error) {
	if err == nil && time.Since(l.beat) >= l.timeout/4 {
		l.beat = time.Now()
		l.server.beats.send(l.open.Client)
	}
}
