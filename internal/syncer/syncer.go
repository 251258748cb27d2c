// Package syncer keeps repositories in step with those of known peers: it offers what is new, asks for what others have, and pushes what is wanted.
//
// It is the side that begins conversations. What peers begin is answered in package serve, which tells it what it has learnt from them. It must
// not know stanzas or QUIC, nor what a push does to a repository.
package syncer

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/slots"
	"git-remote-xmpp/internal/statefile"
	"git-remote-xmpp/internal/watch"
	"mellium.im/xmpp/jid"
)

const (
	// maxTalks is how many conversations there are at once, over all peers, maxTalksPerKey with one.
	maxTalks       = 16
	maxTalksPerKey = 2
	// startTimeout is how long Start waits for the first look at what is served.
	startTimeout = 2 * time.Second
)

// A Repository is one that is served.
type Repository struct {
	Repo     *repo.Repo
	UUID     string
	Name     string
	Settings config.Settings
}

// A Push asks for a turn to push to a peer.
type Push struct {
	Repository Repository
	Client     string // UUID of the repository there
	Peer       peers.Peer
	To         string // full JID
}

// Config is what a Syncer works with.
type Config struct {
	Key   peers.Key // ours
	Store *peers.Store
	Dir   string // for what is kept
	Hooks repo.HooksDir
	Log   *slog.Logger
	// Timeout is how long something that a peer has promised may take to begin.
	Timeout time.Duration
	// Repositories lists what is served now.
	Repositories func(ctx context.Context) ([]Repository, error)
	// RefreshEvery is how often that is looked at; 0: not again.
	RefreshEvery time.Duration
	// Turn waits for the turn of a push; leave must be called at its end.
	Turn func(ctx context.Context, p Push) (leave func(), err error)
}

// A Syncer keeps repositories in step. Use [New] and [Syncer.Start].
type Syncer struct {
	cfg   Config
	kept  statefile.Document[kept]
	talks chan struct{} // a slot for each conversation

	talksOf *slots.Slots[peers.Key] // those of one key

	running context.Context // from Start to Close
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	pool    *client.Pool
	greet   func(jid.JID)
	watcher *watch.Watcher

	mu      sync.Mutex
	started bool
	repos   map[string]*repository // by UUID
	dirs    map[string]*repository // by git dir
	online  map[string]bool        // full JIDs of peers
	greeted map[string]bool        // those that have been, since the last login or since they came online
	changed chan struct{}          // closed when a link's state has changed
}

// New returns a Syncer that does nothing yet but note who is online.
func New(cfg Config) *Syncer {
	s := &Syncer{
		cfg: cfg, talks: make(chan struct{}, maxTalks), changed: make(chan struct{}),
		kept:    statefile.Document[kept]{Path: filepath.Join(cfg.Dir, "sync.json"), Remedy: "remove it: clones announce themselves anew"},
		talksOf: slots.New[peers.Key](maxTalksPerKey),
		repos:   make(map[string]*repository), dirs: make(map[string]*repository),
		online: make(map[string]bool), greeted: make(map[string]bool),
	}
	s.running, s.stop = context.WithCancel(context.Background())
	return s
}

// Start begins the work: over connections of the pool, with greet to be seen by peers.
func (s *Syncer) Start(ctx context.Context, pool *client.Pool, greet func(jid.JID)) error {
	if _, err := s.kept.Read(); err != nil {
		return err
	}
	var err error
	if s.watcher, err = watch.New(s.touched, s.cfg.Log); err != nil {
		return err
	}
	s.pool, s.greet = pool, greet
	s.mu.Lock()
	s.started = true
	done := make(chan error, 1)
	s.goLocked(func(running context.Context) { done <- s.Refresh(running) })
	s.goLocked(s.greetKnown)
	if s.cfg.RefreshEvery > 0 {
		s.goLocked(s.refresh)
	}
	s.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-time.After(startTimeout): // there are many: the rest is found while we serve
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// refresh looks at what is served from time to time.
func (s *Syncer) refresh(ctx context.Context) {
	for {
		select {
		case <-time.After(s.cfg.RefreshEvery):
		case <-ctx.Done():
			return
		}
		if err := s.Refresh(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("repositories not listed", "err", err)
		}
	}
}

// Close ends everything and waits for it. Pushes that run are cancelled.
func (s *Syncer) Close() {
	s.stop()
	if s.watcher != nil {
		s.watcher.Close()
	}
	s.mu.Lock() // no task is begun after this
	s.started = false
	s.mu.Unlock()
	s.tasks.Wait()
}

func (s *Syncer) isStarted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// goLocked begins a task, if there is still time for it. s.mu is held.
func (s *Syncer) goLocked(task func(ctx context.Context)) bool {
	if !s.started {
		return false
	}
	s.tasks.Go(func() { task(s.running) })
	return true
}

// Refresh looks at what is served now, begins to keep in step what is new, and leaves what has gone.
func (s *Syncer) Refresh(ctx context.Context) error {
	list, err := s.cfg.Repositories(ctx)
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, r := range list {
		seen[r.UUID] = true
		s.mu.Lock()
		old := s.repos[r.UUID]
		known := old != nil && old.Repo.Dir == r.Repo.Dir && old.Name == r.Name
		watched := known && old.watched
		s.mu.Unlock()
		if !known {
			s.take(ctx, r, len(list))
		} else if watched {
			_ = s.watcher.Add(r.Repo.Dir) // another folder may have taken the path; if it is gone it is looked for
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range s.repos {
		if !seen[id] {
			s.dropLocked(r)
		}
	}
	return nil
}

// dropLocked forgets a repository that isn't served any more.
func (s *Syncer) dropLocked(r *repository) {
	delete(s.repos, r.UUID)
	delete(s.dirs, r.Repo.Dir)
	for _, l := range r.links {
		l.dropLocked()
	}
	if r.watched {
		s.watcher.Remove(r.Repo.Dir)
	}
}

// signalLocked wakes who waits for links. s.mu is held.
func (s *Syncer) signalLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}
