package syncer

import (
	"context"
	"fmt"
	"maps"

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
	}
	for _, t := range result.Rejected {
		l.has[t.Ref] = t.ID
	}
	l.noteTheirs(result.Moved)
}

// track notes in git's remote-tracking branches where the branches of a remote are, as far as is known.
func (s *Syncer) track(ctx context.Context, l *link) {
	s.mu.Lock()
	own, theirs := l.own, maps.Clone(l.theirs)
	s.mu.Unlock()
	if !own {
		return
	}
	if err := l.repo.Repo.Track(ctx, l.remote, theirs); err != nil {
		s.cfg.Log.Warn("remote-tracking branches not set", "repository", l.repo.Name, "remote", l.remote, "err", err)
	}
}
