package syncer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/repo"
)

// What a git push of ours tells the helper that it runs, in its environment.
const (
	// EnvPeer is the fingerprint of the one key to connect to.
	EnvPeer = "GIT_XMPP_SYNC_PEER"
	// EnvMerges is set if what comes from the other side is merged here.
	EnvMerges = "GIT_XMPP_SYNC_MERGES"
)

// maxRejections is how often in a row a peer may reject tips before they aren't offered to it again.
const maxRejections = 3

// push pushes refs that a peer wants, when it is their turn.
func (s *Syncer) push(ctx context.Context, l *link, refs map[string]bool) error {
	peer, err := s.cfg.Store.ByKey(l.key)
	if err != nil {
		return err
	}
	s.mu.Lock()
	p := Push{Repository: l.repo.Repository, Client: l.client, Peer: peer, To: l.to.String()}
	address := l.to.Bare()
	s.mu.Unlock()
	leave, err := s.cfg.Turn(ctx, p)
	if err != nil {
		return err
	}
	defer leave()
	if err := s.check(l); err != nil {
		return err
	}
	all, err := p.Repository.Repo.Tips(ctx)
	if err != nil {
		return err
	}
	var tips []repo.Tip
	for _, t := range all {
		if refs[t.Ref] {
			tips = append(tips, t)
		}
	}
	if len(tips) == 0 {
		return nil
	}
	url := config.Remote{Address: address, Repo: p.Client}.String()
	environ := []string{EnvPeer + "=" + l.key.String()}
	if p.Repository.Settings.Integrate == config.IntegrateMerge && s.mayWrite(l.key, p.Repository.UUID) {
		environ = append(environ, EnvMerges+"=1")
	}
	result, err := p.Repository.Repo.Push(ctx, url, tips, s.cfg.Hooks, environ...)
	if err != nil {
		return fmt.Errorf("push to %s: %w", p.To, err)
	}
	s.pushed(l, result)
	s.track(ctx, l)
	return nil
}

// pushed notes what the peer has now, or won't take.
func (s *Syncer) pushed(l *link, result *repo.Pushed) {
	log := s.logOf(l)
	for _, r := range result.Rejected {
		log.Warn("not taken", "ref", r.Ref, "why", r.Why)
	}
	log.Info("pushed", "refs", len(result.Taken))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range result.Taken {
		l.has[t.Ref] = t.ID
		delete(l.todo.push, t.Ref) // asked for while it was on its way
	}
	for _, t := range result.Rejected {
		l.has[t.Ref] = t.ID
	}
	l.noteTheirs(result.Moved)
	s.offerAgainLocked(l, result.Rejected)
}

// track notes in git's remote-tracking branches where the branches of a remote are, as far as is known.
func (s *Syncer) track(ctx context.Context, l *link) {
	s.mu.Lock()
	own, remotes, theirs := l.own, slices.Clone(l.remotes), maps.Clone(l.theirs)
	s.mu.Unlock()
	if !own {
		return
	}
	for _, remote := range remotes {
		if err := l.repo.Repo.Track(ctx, remote, theirs); err != nil {
			s.cfg.Log.Warn("remote-tracking branches not set", "repository", l.repo.Name, "remote", remote, "err", err)
		}
	}
}

// offerAgainLocked has tips that were rejected offered again, a few times: a lock may have been in the way there, or another push. A hook that refuses them
// goes on to do so, and they are left alone until they change, or the peer comes anew.
func (s *Syncer) offerAgainLocked(l *link, rejected []repo.Rejected) {
	if len(rejected) == 0 {
		l.rejections = 0
		return
	}
	if l.rejections++; l.rejections > maxRejections {
		return
	}
	time.AfterFunc(firstRetry<<(l.rejections-1), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, t := range rejected {
			if l.has[t.Ref] == t.ID {
				delete(l.has, t.Ref)
			}
		}
		l.todo.offer = l.todo.offer || !l.gone
		s.startLocked(l)
	})
}
