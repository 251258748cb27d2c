package syncer

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

const (
	// firstRetry is the wait after a first failure; it doubles from one to the next. After maxTries nothing is tried before something happens.
	firstRetry = 5 * time.Second
	maxTries   = 7
)

// startLocked has a link's work done, if there is any and nobody is at it. s.mu is held.
func (s *Syncer) startLocked(l *link) {
	if l.running || l.gone || l.todo.empty() {
		return
	}
	if l.again != nil {
		l.again.Stop()
	}
	l.running = s.goLocked(func(ctx context.Context) { s.attend(ctx, l) })
}

// attend does what there is to do with a link until nothing is left, or it fails.
func (s *Syncer) attend(ctx context.Context, l *link) {
	for {
		s.mu.Lock()
		if !l.activeLocked() { // not any more
			l.todo.offer, l.todo.ask = false, false
		}
		work := l.todo
		if work.empty() || l.gone || ctx.Err() != nil {
			l.running = false
			s.signalLocked()
			s.mu.Unlock()
			return
		}
		l.todo = todo{}
		s.mu.Unlock()

		left, err := s.do(ctx, l, work)
		s.mu.Lock()
		l.failure = err
		if err != nil {
			if errors.Is(err, errMayNot) {
				l.byHand = false
			} else {
				l.todo.merge(left)
			}
			l.running = false
			s.retryLocked(ctx, l, err)
		} else {
			l.tries = 0
		}
		s.signalLocked()
		s.mu.Unlock()
		s.keep(ctx, l)
		if err != nil {
			return
		}
	}
}

// do does some work with a link. What is left of it after a failure is returned.
func (s *Syncer) do(ctx context.Context, l *link, work todo) (left todo, err error) {
	log := s.logOf(l)
	if work.offer || work.ask {
		wanted, err := s.talk(ctx, l, work)
		if err != nil {
			log.Debug("not in step", "err", err)
			return work, err
		}
		work = todo{push: work.push}
		work.merge(todo{push: wanted})
	}
	if len(work.push) == 0 {
		return todo{}, nil
	}
	if err := s.push(ctx, l, work.push); err != nil {
		log.Warn("not pushed", "err", err)
		return todo{offer: true, push: work.push}, err
	}
	return todo{}, nil
}

// logOf is the log for what concerns a link.
func (s *Syncer) logOf(l *link) *slog.Logger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Log.With("repository", l.repo.Name, "peer", l.to.String())
}

// retryLocked decides when a link that failed is tried again: a peer that isn't there, or refuses, when something happens there or here,
// everything else after a while.
func (s *Syncer) retryLocked(ctx context.Context, l *link, err error) {
	var refusal *protocol.Refuse
	if l.gone || ctx.Err() != nil || errors.Is(err, transport.ErrNobody) || errors.As(err, &refusal) && refusal.Code != protocol.CodeBusy || l.tries >= maxTries {
		return
	}
	wait := firstRetry << l.tries
	l.tries++
	l.again = time.AfterFunc(wait+rand.N(wait/4), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.startLocked(l)
	})
}
