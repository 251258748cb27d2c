package syncer

import (
	"context"
	"slices"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"mellium.im/xmpp/jid"
)

// maxOnline is how many addresses are remembered to be online.
const maxOnline = 4096

// maxGreeted is how many of the peers that are known are greeted at a login.
const maxGreeted = 256

// Linked is told of every login: all remotes are out of sync.
func (s *Syncer) Linked() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.online)
	clear(s.greeted)
	if !s.started {
		return
	}
	s.goLocked(s.greetKnown)
	for _, r := range s.repos {
		for _, l := range r.links {
			l.told, l.tries = false, 0
			s.greetLocked(l.to)
			s.outLocked(l)
		}
	}
}

// Presence is told that a peer came online or went offline. What waits for it is done then.
func (s *Syncer) Presence(from jid.JID, available bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := from.String()
	if !available {
		delete(s.online, full)
		delete(s.greeted, full)
		return
	}
	if !s.online[full] {
		delete(s.greeted, full) // it wasn't there when it was
	}
	if len(s.online) < maxOnline {
		s.online[full] = true
	}
	for _, r := range s.repos {
		for _, l := range r.links {
			if l.to.Equal(from) {
				s.greetLocked(from)
				l.tries = 0
				s.startLocked(l)
			}
		}
	}
}

// greetKnown has the peers that are known see that we are online: something may wait for us there.
func (s *Syncer) greetKnown(context.Context) {
	list, err := s.cfg.Store.List()
	if err != nil {
		s.cfg.Log.Warn("peers not known", "err", err)
	}
	slices.SortFunc(list, func(a, b peers.Peer) int { return b.LastSeen.Compare(a.LastSeen) })
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range list[:min(len(list), maxGreeted)] {
		for _, address := range p.Addresses {
			bare, err := jid.Parse(address)
			if err != nil || p.Resource == "" {
				continue
			}
			if to, err := bare.WithResource(p.Resource); err == nil {
				s.greetLocked(to)
			}
		}
	}
}

// greetLocked has a peer's serve see that we are online, once. s.mu is held.
func (s *Syncer) greetLocked(to jid.JID) {
	if full := to.String(); s.started && !s.greeted[full] {
		s.greeted[full] = true
		s.greet(to)
	}
}

// Announced is told that a peer has a clone of a repository here, and serves it under a resource of its address.
func (s *Syncer) Announced(ctx context.Context, r Repository, key peers.Key, client string, address jid.JID, resource string) error {
	to, err := address.WithResource(resource)
	if err != nil {
		return err
	}
	if err := s.cfg.Store.Reachable(ctx, key, address.String(), resource); err != nil {
		return err
	}
	c := clone{Repository: r.UUID, Client: client, Key: key, Address: address.String(), Announced: time.Now().UTC()}
	if err := s.keepClone(ctx, c); err != nil {
		return err
	}
	s.mu.Lock()
	known := s.repos[r.UUID]
	if known != nil {
		// Who announces itself offers and asks by itself: nothing is to be done for a new link.
		id := linkID{key, c.Address, client}
		if known.links[id] == nil {
			known.links[id] = &link{linkID: id, repo: known, remotes: []string{c.Address}, to: to, client: client, has: make(map[string]string)}
		}
	}
	s.mu.Unlock()
	if known == nil {
		s.take(ctx, r, maxWatchedIdle+1)
	} else {
		s.connect(known)
	}
	return nil
}

// Offered is told which tips a peer's repository has.
func (s *Syncer) Offered(ctx context.Context, repository string, key peers.Key, client string, tips []repo.Tip) {
	var before *repo.Repo // if a push may change what is to be compared
	s.each(repository, key, client, func(l *link) {
		l.noteTheirs(tips)
		if l.isOut() && l.ours == nil {
			before = l.repo.Repo
		}
	})
	if before == nil {
		return
	}
	ours, err := before.Tips(ctx)
	if err != nil {
		s.cfg.Log.Warn("refs not read", "repository", repository, "err", err)
		return
	}
	s.each(repository, key, client, func(l *link) {
		if l.isOut() && l.ours == nil {
			l.ours = branchesOf(ours)
		}
	})
}

// Requested is told which refs a peer's repository wants.
func (s *Syncer) Requested(repository string, key peers.Key, client string, refs []string) {
	work := todo{push: make(map[string]bool)}
	for _, ref := range refs {
		work.push[ref] = true
	}
	done := false
	s.each(repository, key, client, func(l *link) {
		if !done && l.client == client && len(l.todo.push)+len(refs) <= maxOffered { // one of them pushes
			l.todo.merge(work)
			s.startLocked(l)
			done = true
		}
	})
}

// Receiving is told that a peer's repository begins to push to one here, and whether it merges what it gets from there.
func (s *Syncer) Receiving(repository string, key peers.Key, client string, merges bool) {
	s.each(repository, key, client, func(l *link) {
		l.merges = merges
		l.repo.beginLocked(client)
	})
}

// Received is told that such a push was carried out.
func (s *Syncer) Received(repository string, key peers.Key, client string) {
	s.each(repository, key, client, func(l *link) {
		l.promised(false)
		s.settleLocked(l, true)
		s.goLocked(func(ctx context.Context) { s.track(ctx, l) })
	})
}

// each calls f for the links between two repositories, under the lock.
func (s *Syncer) each(repository string, key peers.Key, client string, f func(*link)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[repository]
	if r == nil {
		return
	}
	for _, l := range r.find(key, client) {
		f(l)
	}
	s.signalLocked()
}
