package syncer

import (
	"context"
	"math/rand/v2"
	"time"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
)

// Of many that merge the same histories at the same time each would make a merge of its own, for all others to merge again. So they take turns, in the
// order of their repositories' UUIDs: the first merges at once, the others when what they have stays unmerged, and mostly they get the first one's merge before.
const (
	// mergeStep is how long a repository waits for each other one that comes before it.
	mergeStep = 2 * time.Second
	// maxMergeWait is how long it waits at most, whatever changes meanwhile.
	maxMergeWait = 10 * time.Second
)

// LeavesMerging tells whether a repository leaves it to others, for now, to merge what one pushes that merges itself.
func (s *Syncer) LeavesMerging(repository string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[repository]
	return r != nil && s.beforeLocked(r) > 0
}

// beforeLocked is how many repositories of those that are there, and that this one is kept in step with, merge before it does. s.mu is held.
func (s *Syncer) beforeLocked(r *repository) int {
	before := make(map[string]bool)
	for _, l := range r.links {
		if l.merges && l.client != "" && l.client < r.UUID && s.online[l.to.String()] {
			before[l.client] = true
		}
	}
	return len(before)
}

// mergesNow tells whether it is a repository's turn to merge. If something waits and it isn't, the repository is looked at again when it is.
func (s *Syncer) mergesNow(r *repository, waits bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.mergeTimer != nil {
		r.mergeTimer.Stop()
	}
	before, due := s.beforeLocked(r), r.mergeDue
	r.mergeDue = false
	if waits && r.leftSince.IsZero() {
		r.leftSince = time.Now()
	}
	if !waits || due || before == 0 || time.Since(r.leftSince) > maxMergeWait {
		r.leftSince = time.Time{}
		return true
	}
	wait := min(time.Duration(before)*mergeStep, maxMergeWait) + rand.N(mergeStep/2)
	r.mergeTimer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		r.mergeDue = true
		s.mu.Unlock()
		s.touched(r.Repo.Dir)
	})
	return false
}

// integrate brings in what waits on the fallback refs of others: a work tree may have been in the way when it came.
func (s *Syncer) integrate(ctx context.Context, r *repository, tips []repo.Tip) {
	s.mu.Lock()
	settings := r.Settings
	s.mu.Unlock()
	if settings.Integrate == config.IntegrateNone || settings.PushMode == config.PushDirect {
		return
	}
	pushers := repo.Pushers(tips)
	first := settings.Integrate != config.IntegrateMerge || s.mergesNow(r, len(pushers) > 0)
	for client := range pushers {
		sender, right, merges := s.sender(r, client)
		if right.Access < peers.Write { // not any more
			continue
		}
		var said repo.Said
		policy := repo.Policy{Mode: string(settings.PushMode), Integrate: string(settings.Integrate), SenderMerges: merges && (!first || r.UUID > client), Refs: right.Refs}
		if err := r.Repo.Integrate(ctx, sender, policy, &said); err != nil {
			s.cfg.Log.Warn("fallback refs not brought in", "repository", r.Name, "client", client, "err", err)
		}
		for line := range said.Lines() {
			s.cfg.Log.Debug("integrate", "repository", r.Name, "client", client, "said", line)
		}
	}
}

// sender is who has pushed from a repository, as far as it is known, what it may do now, and whether it merges what comes from here.
func (s *Syncer) sender(r *repository, client string) (sender repo.Sender, right peers.Right, merges bool) {
	s.mu.Lock()
	for _, l := range r.links {
		if l.client == client {
			merges = merges || l.merges
		}
	}
	s.mu.Unlock()
	p, err := s.cfg.Store.ByUUID(client)
	if err != nil || len(p.Addresses) == 0 {
		return repo.Sender{}, peers.Right{}, false
	}
	address := p.Addresses[len(p.Addresses)-1]
	label := p.Label
	if label == "" {
		label = address
	}
	return repo.Sender{JID: address, UUID: client, Key: p.Key.String(), Label: label}, s.right(p.Key, r.UUID), merges
}
