package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"git-remote-xmpp/transport"
)

// An Outcome is what became of asking one peer.
type Outcome struct {
	Remote string `json:"remote"`
	Peer   string `json:"peer"` // its label, or full JID
	// Error says why the remote isn't in sync with the peer; empty if it is.
	Error   string `json:"error,omitempty"`
	Offline bool   `json:"offline,omitempty"`
	Timeout bool   `json:"timeout,omitempty"`
}

var (
	// ErrNotServed says that a repository isn't among those that are served.
	ErrNotServed = errors.New("it isn't served here")
	errNoPush    = errors.New("it promised a push that didn't come in time")
	// errNotRunning is for who asks before Start or after Close.
	errNotRunning = errors.New("serve is starting or stopping")
)

// Sync asks every client of a repository's remotes, or of those named, to push to us, offers what there is, and waits until all that is done. The error
// is an [ErrNotServed], or says which remote there isn't.
func (s *Syncer) Sync(ctx context.Context, repository string, remotes []string) ([]Outcome, error) {
	if !s.isStarted() {
		return nil, errNotRunning
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	r := s.repos[repository]
	if r == nil {
		s.mu.Unlock()
		return nil, ErrNotServed
	}
	found := r.Repository
	s.mu.Unlock()
	s.take(ctx, found, maxWatchedIdle+1) // its remotes may be new
	s.mu.Lock()
	defer s.mu.Unlock()
	r.manual++
	defer func() { r.manual-- }()
	var links []*link
	for _, l := range r.links {
		if len(remotes) == 0 || slices.ContainsFunc(l.remotes, func(name string) bool { return slices.Contains(remotes, name) }) {
			l.failure, l.tries, l.byHand = nil, 0, true
			s.outLocked(l)
			links = append(links, l)
		}
	}
	for _, name := range remotes {
		if !slices.ContainsFunc(links, func(l *link) bool { return slices.Contains(l.remotes, name) }) {
			return nil, fmt.Errorf("no remote %q with peers that are known", name)
		}
	}
	if err := s.awaitLocked(ctx, links); err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, 0, len(links))
	for _, l := range links {
		for _, name := range l.remotes {
			if len(remotes) == 0 || slices.Contains(remotes, name) {
				outcomes = append(outcomes, l.outcome(name))
			}
		}
	}
	slices.SortFunc(outcomes, func(a, b Outcome) int { return slices.Compare([]string{a.Remote, a.Peer}, []string{b.Remote, b.Peer}) })
	return outcomes, nil
}

// awaitLocked waits until there is nothing more to be done with links, and nothing more to come. s.mu is held, but not while it waits.
func (s *Syncer) awaitLocked(ctx context.Context, links []*link) error {
	timer := time.NewTicker(max(s.cfg.Timeout/10, 10*time.Millisecond))
	defer timer.Stop()
	for {
		if !slices.ContainsFunc(links, func(l *link) bool { return s.pendingLocked(l) }) {
			return nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		case <-s.running.Done():
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s.running.Err() != nil {
			return errNotRunning
		}
	}
}

// pendingLocked tells whether a link has something to do, or to wait for.
func (s *Syncer) pendingLocked(l *link) bool {
	switch {
	case l.gone || l.failure != nil && !l.running:
		return false
	case l.running || !l.todo.empty():
		return true
	}
	if l.waiting && time.Since(l.asked) > s.cfg.Timeout {
		l.waiting, l.byHand, l.failure = false, false, errNoPush
	}
	return l.waiting
}

func (l *link) outcome(remote string) Outcome {
	o := Outcome{Remote: remote, Peer: l.label}
	if o.Peer == "" {
		o.Peer = l.to.String()
	}
	if l.failure != nil {
		o.Error = l.failure.Error()
		o.Offline = errors.Is(l.failure, transport.ErrNobody)
		o.Timeout = errors.Is(l.failure, errNoPush) || errors.Is(l.failure, transport.ErrLost)
	}
	return o
}
