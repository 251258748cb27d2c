package syncer

import (
	"context"
	"slices"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
)

// Who gets a commit from one peer is soon offered it by others that have got it, too. What is about to come from one of them isn't asked for twice: the other
// offer is put off until the first push has ended.
const (
	// beginsWithin is how long a push that was asked for may take to begin before it counts for nothing.
	beginsWithin = 3 * time.Second
	// putOffFor is how long an offer is put off at most.
	putOffFor = 30 * time.Second
)

// expected is what a peer's repository was asked to push.
type expected struct {
	ids   map[string]bool // of tips
	until time.Time
}

// Expect is told which tips of a peer's repository are wanted, and returns those that it is asked to push now.
func (s *Syncer) Expect(repository string, key peers.Key, client string, wanted []repo.Tip) []repo.Tip {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[repository]
	if r == nil || !r.activeLocked() {
		return wanted
	}
	for _, l := range r.find(key, client) {
		if l.client == client {
			return s.expectLocked(l, wanted)
		}
	}
	return wanted
}

// expectLocked divides what is wanted into what is asked for now and what is put off. s.mu is held.
func (s *Syncer) expectLocked(l *link, wanted []repo.Tip) (now []repo.Tip) {
	began := len(l.putOff) == 0
	for _, t := range wanted {
		if len(l.putOff) < maxOffered && l.repo.comesLocked(l.client, t.ID) {
			l.putOff = append(l.putOff, t)
			continue
		}
		now = append(now, t)
	}
	l.repo.expectLocked(l.client, now)
	if began && len(l.putOff) > 0 {
		for _, wait := range []time.Duration{beginsWithin, putOffFor} {
			time.AfterFunc(wait, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				if wait == putOffFor || !l.comeLocked() {
					s.lookAgainLocked(l)
				}
			})
		}
	}
	return now
}

// comeLocked tells whether all that was put off is still about to come from others. s.mu is held.
func (l *link) comeLocked() bool {
	return !slices.ContainsFunc(l.putOff, func(t repo.Tip) bool { return !l.repo.comesLocked(l.client, t.ID) })
}

// expectLocked notes what a client was asked to push. s.mu is held.
func (r *repository) expectLocked(client string, tips []repo.Tip) {
	if len(tips) == 0 {
		return
	}
	ids := make(map[string]bool)
	for _, t := range tips {
		ids[t.ID] = true
	}
	r.expected[client] = expected{ids, time.Now().Add(beginsWithin)}
}

// comesLocked tells whether a commit is about to come from another repository than the client's. s.mu is held.
func (r *repository) comesLocked(client, id string) bool {
	for from, e := range r.expected {
		if from != client && e.ids[id] && time.Now().Before(e.until) {
			return true
		}
	}
	return false
}

// beginLocked notes that a push begins that may have been asked for. s.mu is held.
func (r *repository) beginLocked(client string) {
	if e, ok := r.expected[client]; ok {
		e.until = time.Now().Add(putOffFor)
		r.expected[client] = e
	}
}

// Ended is told that a push of a peer's repository has ended, well or not: what was put off for it is looked at again.
func (s *Syncer) Ended(repository, client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[repository]
	if r == nil {
		return
	}
	delete(r.expected, client)
	for _, l := range r.links {
		s.lookAgainLocked(l)
	}
}

// lookAgainLocked has a peer asked for what it has if something is still wanted of what was put off. s.mu is held.
func (s *Syncer) lookAgainLocked(l *link) {
	if len(l.putOff) == 0 || l.gone {
		return
	}
	tips, client := l.putOff, l.client
	l.putOff = nil
	s.goLocked(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, scanTimeout)
		defer cancel()
		wanted, err := l.repo.Repo.Wanted(ctx, client, s.right(l.key, l.repo.UUID).Refs, tips)
		if err != nil {
			s.cfg.Log.Warn("offer not compared", "repository", l.repo.Name, "client", client, "err", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(wanted) > 0 || err != nil {
			l.todo.ask = l.todo.ask || !l.gone
			s.startLocked(l)
		}
	})
}
