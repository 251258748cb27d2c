package syncer

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"mellium.im/xmpp/jid"
)

// A linkID tells the links of a repository apart.
type linkID struct {
	key     peers.Key
	address string // bare JID
	name    string // how the repository there is called: as in the URL of a remote, or its UUID
}

// A link is a repository of a peer's that one here is kept in step with.
type link struct {
	linkID
	repo    *repository
	remotes []string // what the user knows it by: names of remotes, or the peer's address
	to      jid.JID
	label   string // the peer's
	own     bool   // it is behind a remote of ours: we announce ourselves
	gone    bool   // nothing is to be done any more
	client  string // UUID, as soon as it is known
	told    bool   // it has been announced to, since the last login
	has     map[string]string
	theirs  map[string]string // branches there when it was asked last
	ours    map[string]string // and here
	waiting bool              // it has promised a push
	asked   time.Time         // when it last said what it has
	merges  bool              // it merges what comes from us
	putOff  []repo.Tip        // that it has offered, and another peer was about to push

	todo       todo
	byHand     bool // somebody has asked for what is to be done: it is done even if the repository isn't kept in step
	running    bool
	failure    error // why the last attempt failed
	tries      int   // since the last success
	rejections int   // pushes in a row of which something was rejected
	again      *time.Timer
}

// todo is what is to be done with a link: no more than there is to do it once.
type todo struct {
	offer, ask bool
	push       map[string]bool // refs that it wants
}

func (t todo) empty() bool { return !t.offer && !t.ask && len(t.push) == 0 }

// merge adds what other has to do.
func (t *todo) merge(other todo) {
	t.offer, t.ask = t.offer || other.offer, t.ask || other.ask
	if len(other.push) > 0 && t.push == nil {
		t.push = make(map[string]bool)
	}
	maps.Copy(t.push, other.push)
}

// unknown are the tips that the other side isn't known to have been told of. s.mu is held.
func (l *link) unknown(tips []repo.Tip) []repo.Tip {
	var list []repo.Tip
	for _, t := range tips {
		if l.has[t.Ref] != t.ID {
			list = append(list, t)
		}
	}
	return list
}

// dropLocked ends a link. A task that runs for it ends soon.
func (l *link) dropLocked() {
	l.gone, l.todo = true, todo{}
	if l.again != nil {
		l.again.Stop()
	}
}

// connect makes the links of a repository those that it should have: the peers behind its remotes, and those that announced themselves.
func (s *Syncer) connect(r *repository) {
	s.mu.Lock()
	remotes := r.remotes
	s.mu.Unlock()
	wanted := s.behindRemotes(remotes)
	announced := s.announced(r.UUID)

	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range announced {
		if !slices.ContainsFunc(slices.Collect(maps.Values(r.links)), func(o *link) bool { return o.own && o.key == id.key && o.client == l.client }) {
			wanted[id] = l
		}
	}
	for id, l := range r.links {
		if wanted[id] == nil {
			l.dropLocked()
			delete(r.links, id)
		}
	}
	for id, w := range wanted {
		l := r.links[id]
		if l == nil {
			l = w
			l.repo, l.has = r, make(map[string]string)
			if l.todo, l.byHand = s.restored(l); !l.activeLocked() {
				l.todo = todo{}
			}
			r.links[id] = l
			s.outLocked(l)
		}
		l.remotes, l.to, l.label = w.remotes, w.to, w.label
		s.greetLocked(l.to)
	}
	s.signalLocked()
}

// behindRemotes are the peers whose keys are pinned to the addresses of remotes.
func (s *Syncer) behindRemotes(remotes []remote) map[linkID]*link {
	found := make(map[linkID]*link)
	for _, m := range remotes {
		pinned, err := s.cfg.Store.Pinned(m.address.String())
		if err != nil {
			s.cfg.Log.Warn("peers not known", "err", err)
		}
		for _, p := range pinned {
			to, err := m.address.WithResource(p.Resource)
			if err != nil || p.Resource == "" || p.Key == s.cfg.Key {
				continue
			}
			id := linkID{p.Key, m.address.String(), m.repo}
			if found[id] == nil {
				found[id] = &link{linkID: id, to: to, label: p.Label, own: true}
			}
			found[id].remotes = append(found[id].remotes, m.name)
		}
	}
	return found
}

// announced are the clones that announced themselves to a repository, as far as they may still read it.
func (s *Syncer) announced(repository string) map[linkID]*link {
	found := make(map[linkID]*link)
	k, err := s.kept.Read()
	if err != nil {
		s.cfg.Log.Warn("clones not known", "err", err)
		return found
	}
	readers := make(map[peers.Key]peers.Peer) // looked up once each: of one there may be many clones
	for _, c := range k.Clones {
		p, looked := readers[c.Key]
		if c.Repository == repository && !looked {
			if p, err = s.cfg.Store.ByKey(c.Key); err != nil || !s.mayRead(c.Key, repository) {
				p = peers.Peer{}
			}
			readers[c.Key] = p
		}
		if c.Repository != repository || p.Resource == "" {
			continue
		}
		address, err := jid.Parse(c.Address)
		if err != nil {
			continue
		}
		to, err := address.WithResource(p.Resource)
		if err != nil {
			continue
		}
		id := linkID{c.Key, c.Address, c.Client}
		found[id] = &link{linkID: id, remotes: []string{c.Address}, to: to, label: p.Label, client: c.Client}
	}
	return found
}

func (s *Syncer) mayRead(key peers.Key, repository string) bool {
	return s.cfg.Store.Access(key, repository) >= peers.Read || s.Trusts(key, repository)
}

var errMayNot = errors.New("it isn't known here any more, or may not read the repository")

// check refuses to tell a peer anything that isn't to know it, now that it is its turn.
func (s *Syncer) check(l *link) error {
	s.mu.Lock()
	gone := l.gone
	s.mu.Unlock()
	if gone || !s.mayRead(l.key, l.repo.UUID) {
		return errMayNot
	}
	return nil
}

func (s *Syncer) mayWrite(key peers.Key, repository string) bool {
	return s.right(key, repository).Access >= peers.Write
}

// right is what a peer may do with a repository here.
func (s *Syncer) right(key peers.Key, repository string) peers.Right {
	right := s.cfg.Store.Right(key, repository)
	if right.Access < peers.Write && s.Trusts(key, repository) {
		return peers.Right{Access: peers.Write}
	}
	return right
}

// outLocked says that a link's remotes are out of sync: it is to be asked, and told what there is.
func (s *Syncer) outLocked(l *link) {
	if !l.activeLocked() {
		return
	}
	l.todo.ask, l.todo.offer = true, true
	l.theirs, l.ours = nil, nil
	for _, name := range l.remotes {
		if _, out := l.repo.out[name]; !out {
			l.repo.out[name] = time.Now()
		}
	}
	s.startLocked(l)
}

// isOut tells whether one of a link's remotes is out of sync. s.mu is held.
func (l *link) isOut() bool {
	return slices.ContainsFunc(l.remotes, func(name string) bool { _, out := l.repo.out[name]; return out })
}

// find returns the links of a repository to a peer's, by its UUID. Those whose UUID isn't known yet count. s.mu is held.
func (r *repository) find(key peers.Key, client string) []*link {
	var found []*link
	for _, l := range r.links {
		if l.key == key && (l.client == client || l.client == "") {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b *link) int { return cmp.Or(-cmp.Compare(a.client, b.client), cmp.Compare(a.name, b.name)) })
	return found
}
