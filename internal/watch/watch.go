// Package watch tells when refs, HEAD or settings of git repositories may have
// changed. It looks at names, times and sizes of files and reads none; it must
// not know what a ref is worth to anybody, who has changed it, or the network.
//
// Folders are watched, by what the system has for that: the git dir and refs
// with all that is below it. A reftable is polled, and so is all of a
// repository whose folders can't be watched.
package watch

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// lostInterval is how often all repositories are looked through because events
// were lost: under a storm of them that mustn't be all that is done.
const lostInterval = time.Second

// ErrClosed says that a Watcher is closed.
var ErrClosed = errors.New("closed")

// Watcher watches repositories. Its methods may be called by any number of
// goroutines.
type Watcher struct {
	changed func(gitDir string)
	log     *slog.Logger
	system  *fsnotify.Watcher // nil: there is none to be had, all is polled
	inbox   *inbox
	done    chan struct{}
	group   sync.WaitGroup

	intervals [all + 1]time.Duration // of polling

	mu      sync.Mutex
	closed  bool
	repos   map[string]*repository // by git dir
	folders map[string]*repository // by watched folder
	room    int                    // how much more may be watched
	lost    bool                   // events that nobody has made up for
	madeUp  time.Time              // when that was done last
}

// New returns a Watcher that calls changed, from one goroutine of its own, with
// the git dir whose refs or configuration may have changed. It may be called
// too often, never too rarely: what it can read when it is called last is what
// there is. It must not block, and not call Close.
//
// A system that has run out of watchers is no error: all is polled then.
func New(changed func(gitDir string), log *slog.Logger) (*Watcher, error) {
	system, err := fsnotify.NewWatcher()
	if exhausted(err) {
		log.Warn("refs are polled, not watched", "err", err)
	} else if err != nil {
		return nil, fmt.Errorf("watch refs: %w", err)
	}
	return start(changed, log, system), nil
}

func start(changed func(string), log *slog.Logger, system *fsnotify.Watcher) *Watcher {
	w := &Watcher{
		changed: changed, log: log, system: system, inbox: newInbox(), done: make(chan struct{}),
		repos: make(map[string]*repository), folders: make(map[string]*repository), room: maxWatches,
		intervals: intervals,
	}
	if system != nil {
		w.group.Go(func() { w.inbox.collect(system) })
	}
	w.group.Go(w.run)
	return w
}

func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// Add watches a repository: its git dir, the common one if there are linked
// work trees, as an absolute path without symbolic links. What changes after it
// returns is told. A git dir that is watched already costs little, unless it is
// another folder by now; so whoever finds repositories adds all it finds, each
// time. One that goes away is looked for every few seconds until it is removed.
func (w *Watcher) Add(gitDir string) error {
	gitDir = filepath.Clean(gitDir)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fmt.Errorf("watch %s: %w", gitDir, ErrClosed)
	}
	if r := w.repos[gitDir]; r != nil {
		if !r.isThere() {
			w.inbox.put(fsnotify.Event{Name: gitDir, Op: fsnotify.Rename})
		}
		return nil
	}
	r := &repository{gitDir: gitDir, folders: make(map[string]int)}
	if err := w.begin(r); err != nil {
		return fmt.Errorf("watch %s: %w", gitDir, err)
	}
	w.repos[gitDir] = r
	w.inbox.poke() // it may have to be polled
	return nil
}

// Remove stops watching a repository.
func (w *Watcher) Remove(gitDir string) {
	gitDir = filepath.Clean(gitDir)
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.repos[gitDir]; r != nil {
		w.drop(r, gitDir)
		delete(w.repos, gitDir)
	}
}

// Close stops everything and waits for it. changed isn't called any more.
func (w *Watcher) Close() {
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	w.mu.Unlock()
	if first {
		close(w.done)
		if w.system != nil {
			_ = w.system.Close() // there is nothing to be done about it
		}
	}
	w.group.Wait()
}

func (w *Watcher) run() {
	for {
		var timer <-chan time.Time // none if there is nothing to poll
		if wait, ok := w.untilDue(); ok {
			timer = time.After(wait)
		}
		select {
		case <-w.done:
			return
		case <-w.inbox.wake:
		case <-timer:
		}
		for _, gitDir := range w.work() {
			select {
			case <-w.done:
				return
			default:
				w.changed(gitDir)
			}
		}
	}
}

// work brings the watches up to date and returns whom to tell of, in the order
// of what has happened. By then new folders are watched, so what is made in
// them before is there to be read, and what is made later is told.
func (w *Watcher) work() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var told list
	events, lost := w.inbox.take()
	w.handle(events, &told)
	if w.lost = w.lost || lost; w.lost && time.Since(w.madeUp) >= lostInterval {
		w.makeUp(&told)
	}
	for gitDir, r := range w.repos {
		// Whoever is due soon is polled too: so all are in the end at the same time.
		if r.poll != nothing && time.Until(r.due) < w.intervals[r.poll]/2 && w.look(r) {
			told.add(gitDir)
		}
	}
	return told.items
}

// makeUp sets everything up again, for events were lost.
func (w *Watcher) makeUp(told *list) {
	w.log.Warn("events of the file system were lost: looking at all refs", "repositories", len(w.repos))
	w.lost, w.madeUp = false, time.Now()
	for gitDir, r := range w.repos {
		w.drop(r, gitDir)
		told.add(gitDir)
	}
	for _, r := range w.repos {
		_ = w.begin(r) // it is polled then
	}
}

// untilDue says how long there is nothing to do but to wait for events.
func (w *Watcher) untilDue() (wait time.Duration, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	due := time.Time{}
	if w.lost {
		due = w.madeUp.Add(lostInterval)
	}
	for _, r := range w.repos {
		if r.poll != nothing && (due.IsZero() || r.due.Before(due)) {
			due = r.due
		}
	}
	return time.Until(due), !due.IsZero()
}

// list is a list without duplicates.
type list struct {
	items []string
	known map[string]struct{}
}

func (l *list) add(item string) {
	if _, ok := l.known[item]; ok {
		return
	}
	if l.known == nil {
		l.known = make(map[string]struct{})
	}
	l.known[item] = struct{}{}
	l.items = append(l.items, item)
}
