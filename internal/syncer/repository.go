package syncer

import (
	"context"
	"time"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"mellium.im/xmpp/jid"
)

const (
	// quietTime is how long a repository has to be left alone for its changes to be looked at, maxQuietTime how long that may be put off.
	quietTime    = 100 * time.Millisecond
	maxQuietTime = time.Second
	// scanTimeout bounds git's work for one look at a repository.
	scanTimeout = 2 * time.Minute
	// maxWatchedIdle is up to how many repositories those are watched, too, that aren't kept in step: xmpp.sync may be switched on.
	maxWatchedIdle = 64
)

// A repository is one that is served, with what it is kept in step with.
type repository struct {
	Repository // but for the settings as it was found: read without the lock
	watched    bool
	manual     int                  // how many syncs were asked for and have not ended
	remotes    []remote             // by way of XMPP
	links      map[linkID]*link     // to be kept in step with, or asked
	out        map[string]time.Time // remotes that are out of sync, since when
	expected   map[string]expected  // by the UUID of the repository that was asked for it

	working  chan struct{} // a slot for whoever looks at it
	touched  time.Time     // when the last change was told
	scanning bool          // a task waits for quiet, or looks

	leftSince  time.Time // when something was first left to others to merge
	mergeTimer *time.Timer
	mergeDue   bool // it is our turn
}

// A remote is one of git's, as far as it concerns us.
type remote struct {
	name    string
	address jid.JID
	repo    string // as in its URL
}

// activeLocked tells whether a repository is kept in step, or somebody has asked for that. s.mu is held.
func (r *repository) activeLocked() bool { return r.Settings.Sync || r.manual > 0 }

// activeLocked tells whether a peer may be asked and offered something. s.mu is held.
func (l *link) activeLocked() bool { return l.repo.activeLocked() || l.byHand }

// take begins to keep a repository in step, or looks at one anew.
func (s *Syncer) take(ctx context.Context, found Repository, total int) {
	remotes := s.remotes(ctx, found.Repo)
	s.mu.Lock()
	r := s.repos[found.UUID]
	if r == nil || r.Repo.Dir != found.Repo.Dir || r.Name != found.Name {
		if r != nil {
			s.dropLocked(r)
		}
		r = &repository{
			Repository: found, links: make(map[linkID]*link), working: make(chan struct{}, 1),
			out: make(map[string]time.Time), expected: make(map[string]expected),
		}
		s.repos[found.UUID], s.dirs[found.Repo.Dir] = r, r
	}
	s.setLocked(r, found.Settings, remotes)
	r.watched = r.watched || found.Settings.Sync || total <= maxWatchedIdle
	watch := r.watched
	s.mu.Unlock()
	if watch { // before the first look: nothing is missed in between. Again each time: another folder may have taken the path.
		if err := s.watcher.Add(found.Repo.Dir); err != nil {
			s.cfg.Log.Warn("changes aren't seen", "repository", found.Name, "err", err)
		}
	}
	s.connect(r)
	s.touched(found.Repo.Dir)
}

// remotes lists the remotes by way of XMPP. Those whose URLs make no sense are git's to complain about.
func (s *Syncer) remotes(ctx context.Context, r *repo.Repo) []remote {
	found, err := r.Remotes(ctx)
	if err != nil {
		s.cfg.Log.Warn("remotes not known", "err", err)
	}
	var list []remote
	for _, f := range found {
		if u, err := config.ParseRemote(f.URL); err == nil {
			list = append(list, remote{f.Name, u.Address, u.Repo})
		}
	}
	return list
}

// touched is told that a repository's refs or settings may have changed. They are looked at when nothing has changed for a short time.
func (s *Syncer) touched(gitDir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.dirs[gitDir]
	if r == nil {
		return
	}
	r.touched = time.Now()
	if !r.scanning {
		r.scanning = s.goLocked(func(ctx context.Context) { s.scanWhenQuiet(ctx, r) })
	}
}

// scanWhenQuiet looks at a repository as often as it changes.
func (s *Syncer) scanWhenQuiet(ctx context.Context, r *repository) {
	for {
		seen := s.awaitQuiet(ctx, r)
		if ctx.Err() == nil {
			s.scan(ctx, r)
		}
		s.mu.Lock()
		if r.touched.Equal(seen) || ctx.Err() != nil {
			r.scanning = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// awaitQuiet waits until there was no change for quietTime, and returns when the last one was.
func (s *Syncer) awaitQuiet(ctx context.Context, r *repository) time.Time {
	began := time.Now()
	for {
		s.mu.Lock()
		last := r.touched
		s.mu.Unlock()
		wait := min(quietTime-time.Since(last), maxQuietTime-time.Since(began))
		if wait <= 0 || ctx.Err() != nil {
			return last
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// scan looks at a repository's settings and refs, and has peers told what they don't know.
func (s *Syncer) scan(ctx context.Context, r *repository) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	defer s.work(ctx, r)()
	settings, err := config.Load(ctx, r.Repo.Dir, append(repo.Environ(), "GIT_DIR="+r.Repo.Dir))
	if err != nil {
		s.cfg.Log.Warn("settings not read", "repository", r.Name, "err", err)
		return
	}
	remotes := s.remotes(ctx, r.Repo)
	s.mu.Lock()
	s.setLocked(r, settings, remotes)
	s.mu.Unlock()
	s.connect(r)
	if !settings.Sync {
		return
	}
	tips, err := r.Repo.Tips(ctx)
	if err != nil {
		s.cfg.Log.Warn("refs not read", "repository", r.Name, "err", err)
		return
	}
	s.integrate(ctx, r, tips)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range r.links {
		if len(l.unknown(tips)) > 0 {
			l.todo.offer = true
			s.startLocked(l)
		}
	}
}

// setLocked notes what is set now. When a repository begins to be kept in step everybody is asked; when it ends, nothing is left to do. s.mu is held.
func (s *Syncer) setLocked(r *repository, settings config.Settings, remotes []remote) {
	before := r.Settings.Sync
	r.Settings, r.remotes = settings, remotes
	for _, l := range r.links {
		switch {
		case settings.Sync && !before:
			s.outLocked(l)
		case before && !l.activeLocked():
			l.todo.ask, l.todo.offer = false, false
			for _, name := range l.remotes {
				delete(r.out, name)
			}
		}
	}
}

// work takes the one place for whoever looks at a repository and has git change it.
func (s *Syncer) work(ctx context.Context, r *repository) (done func()) {
	select {
	case r.working <- struct{}{}:
		return func() { <-r.working }
	case <-ctx.Done():
		return func() {}
	}
}

// pushedToLocked tells whether a repository is one to which a peer may push unless the user has decided otherwise: it is kept in step, or the peer was asked
// for what it has. s.mu is held.
func (s *Syncer) pushedToLocked(r *repository, key peers.Key) bool {
	if r.activeLocked() {
		return true
	}
	for _, l := range r.links {
		if l.key == key && l.byHand && !(l.waiting && time.Since(l.asked) > s.cfg.Timeout) {
			return true
		}
	}
	return false
}

// Trusts tells whether a peer may push to a repository here that is kept in step because it is one of those behind its remotes.
func (s *Syncer) Trusts(key peers.Key, repository string) bool {
	s.mu.Lock()
	r := s.repos[repository]
	if r == nil || !s.pushedToLocked(r, key) {
		s.mu.Unlock()
		return false
	}
	remotes := r.remotes
	s.mu.Unlock()
	if _, decided := s.cfg.Store.Grant(key, repository); decided {
		return false // the user's word, which counts without us
	}
	for _, remote := range remotes {
		pinned, err := s.cfg.Store.Pinned(remote.address.String())
		if err != nil {
			return false
		}
		for _, p := range pinned {
			if p.Key == key {
				return true
			}
		}
	}
	return false
}
