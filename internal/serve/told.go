package serve

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"git-remote-xmpp/internal/notify"
	"git-remote-xmpp/internal/repo"
)

const (
	// maxTold is how many pushes are being told at once, with their hooks post-xmpp-receive, maxRepositoryTold how many of one repository.
	maxTold           = 64
	maxRepositoryTold = 16
	// describeTimeout is how long git may look at a push for those who are notified, and toldChanges how many of its refs are named.
	describeTimeout = 10 * time.Second
	toldChanges     = 4
)

// A told push is one that has changed something, of which others are told when its pusher has been.
type told struct {
	entry  Entry
	sender repo.Sender
	record repo.Record
	log    *slog.Logger
}

// tellers are what tells them. The zero value is ready for use.
type tellers struct {
	shares  shares[string] // by repository
	mu      sync.Mutex
	ctx     context.Context // nil while no server runs
	running sync.WaitGroup
}

// begin says until when pushes are told; end waits for it.
func (t *tellers) begin(ctx context.Context) (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx = ctx
	return func() {
		t.mu.Lock()
		t.ctx = nil
		t.mu.Unlock()
		t.running.Wait()
	}
}

// tell has others be told of a push, and removes its record. It doesn't wait for that.
func (s *Server) tell(p told) {
	if p.record.Empty() {
		p.record.Remove()
		return
	}
	s.tellers.mu.Lock()
	defer s.tellers.mu.Unlock()
	release, ok := s.tellers.shares.take(p.entry.UUID, maxRepositoryTold, maxTold)
	if ctx := s.tellers.ctx; ok && ctx != nil {
		s.tellers.running.Go(func() {
			defer release()
			defer p.record.Remove()
			s.tellNow(ctx, p)
		})
		return
	}
	if ok {
		release()
	}
	p.log.Warn("nobody is told of this push", "err", "too many are being told of others")
	p.record.Remove()
}

func (s *Server) tellNow(ctx context.Context, p told) {
	if to := p.entry.Settings.Notify; s.Notify != nil && to.Domainpart() != "" {
		push, err := p.words(ctx)
		if err == nil {
			s.Notify(to, push)
		} else {
			p.log.Warn("notification left out", "to", to.String(), "err", err)
		}
	}
	var said repo.Said
	if err := p.entry.Repo.PostReceive(ctx, p.sender, p.record, &said); err != nil {
		p.log.Warn("post-xmpp-receive failed", "err", err)
	}
	for line := range said.Lines() {
		p.log.Info("post-xmpp-receive", "said", line)
	}
}

// words is what people are told of a push.
func (p told) words(ctx context.Context) (notify.Push, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	changes, more, err := p.entry.Repo.Changes(ctx, p.record, toldChanges)
	push := notify.Push{Who: p.sender.Label, Repository: p.entry.Name, More: more}
	if push.Repository == "" {
		push.Repository = p.entry.UUID
	}
	for _, c := range changes {
		push.Changes = append(push.Changes, notify.Change{
			Ref: c.Ref, Waits: c.Waits, Created: c.Created, Deleted: c.Deleted, Subject: c.Subject,
			Commits: c.Commits, Many: c.Commits+c.Lost >= repo.MaxCounted, Forced: c.Lost > 0 && c.Waits == "",
		})
	}
	return push, err
}
