package syncer

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"git-remote-xmpp/internal/repo"
)

// promised notes whether the other side is about to push. s.mu is held.
func (l *link) promised(push bool) {
	l.waiting, l.asked = push, time.Now()
	l.byHand = l.byHand && push // all that was asked for has come
}

// noteTheirs notes which tips the other side has. Names that it makes up push out what is known of it, which costs it another offer. s.mu is held.
func (l *link) noteTheirs(tips []repo.Tip) {
	if len(l.has)+len(tips) > 2*maxOffered {
		clear(l.has)
		clear(l.theirs)
	}
	for _, tip := range tips {
		l.has[tip.Ref] = tip.ID
	}
	if l.theirs == nil {
		l.theirs = make(map[string]string)
	}
	maps.Copy(l.theirs, branchesOf(tips))
}

// branchesOf are the values of branches.
func branchesOf(tips []repo.Tip) map[string]string {
	branches := make(map[string]string)
	for _, t := range tips {
		if strings.HasPrefix(t.Ref, "refs/heads/") {
			branches[t.Ref] = t.ID
		}
	}
	return branches
}

// settleLocked says that a link's remotes are in sync again. If a push did that, and histories had really diverged, everything is looked at once.
func (s *Syncer) settleLocked(l *link, pushed bool) {
	r := l.repo
	if !l.isOut() {
		return
	}
	for _, name := range l.remotes {
		delete(r.out, name)
	}
	if !pushed {
		return
	}
	ours, theirs, remote, client := maps.Clone(l.ours), maps.Clone(l.theirs), l.remotes[0], l.client
	s.goLocked(func(ctx context.Context) {
		if s.haveDiverged(ctx, r, client, ours, theirs) {
			s.compare(ctx, r, remote)
		}
	})
}

// haveDiverged tells whether histories had diverged before a client's push; without knowing what it had, whether something of it waits.
func (s *Syncer) haveDiverged(ctx context.Context, r *repository, client string, ours, theirs map[string]string) bool {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	return theirs == nil && s.fellBack(ctx, r, client) || s.diverged(ctx, r, ours, theirs)
}

// diverged tells whether there was a branch of which each side had something that the other hadn't.
func (s *Syncer) diverged(ctx context.Context, r *repository, ours, theirs map[string]string) bool {
	for ref, their := range theirs {
		our, both := ours[ref]
		if !both || our == their {
			continue
		}
		diverged, err := r.Repo.Diverged(ctx, our, their)
		if err != nil {
			s.cfg.Log.Warn("histories not compared", "repository", r.Name, "ref", ref, "err", err)
		}
		if diverged {
			return true
		}
	}
	return false
}

// fellBack tells whether something of a client's, which has pushed without an offer, isn't in the branches.
func (s *Syncer) fellBack(ctx context.Context, r *repository, client string) bool {
	unmerged, err := r.Repo.Unmerged(ctx)
	if err != nil {
		s.cfg.Log.Warn("fallback refs not read", "repository", r.Name, "err", err)
	}
	return slices.ContainsFunc(unmerged, func(f repo.Fallback) bool { return f.Client == client && f.Origin == "" })
}

// compare looks at all refs after histories had diverged: brings in what can be, tells everybody, and runs the hook.
func (s *Syncer) compare(ctx context.Context, r *repository, remote string) {
	log := s.cfg.Log.With("repository", r.Name, "remote", remote)
	log.Info("histories had diverged")
	left, err := s.bringIn(ctx, r)
	if err != nil {
		log.Warn("refs not compared", "err", err)
		return
	}
	s.mu.Lock()
	for _, l := range r.links {
		l.todo.offer = l.todo.offer || r.activeLocked()
		s.startLocked(l)
	}
	s.mu.Unlock()
	var said repo.Said
	if err := r.Repo.PostSync(ctx, remote, left, &said); err != nil {
		log.Warn("post-xmpp-sync failed", "err", err)
	}
	for line := range said.Lines() {
		log.Info("post-xmpp-sync", "said", line)
	}
}

// bringIn brings in what waits on fallback refs, and returns what is left.
func (s *Syncer) bringIn(ctx context.Context, r *repository) ([]repo.Fallback, error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	defer s.work(ctx, r)()
	tips, err := r.Repo.Tips(ctx)
	if err != nil {
		return nil, err
	}
	s.integrate(ctx, r, tips)
	return r.Repo.Unmerged(ctx)
}
