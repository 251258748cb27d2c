package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// pollScenes are all that polling must see, in one repository after another.
var pollScenes = []string{"commit", "slashes", "delete", "pack-refs", "packed", "switched on", "HEAD"}

// without starts a watcher for which the system has nothing left.
func without(t *testing.T) *ear {
	t.Helper()
	e := listen(t)
	e.Watcher.mu.Lock()
	defer e.Watcher.mu.Unlock()
	e.room, e.allRoom = 0, 0
	return e
}

func TestPolling(t *testing.T) {
	for _, name := range pollScenes {
		t.Run(name, func(t *testing.T) {
			s, c := newSite(t, systemGit(t)), scenes[name]
			dir := s.repo("proj")
			if c.prepare != nil {
				c.prepare(s, dir)
			}
			e := without(t)
			age(t, dir)
			must(t, e.Add(gitDir(dir)))
			c.done(s, dir)
			e.hears(gitDir(dir))
			if n := e.logs.lines("refs are polled, not watched"); n != 1 {
				t.Errorf("%d lines\n%s", n, &e.logs)
			}
			if e.watches() {
				t.Error("watches are left")
			}
		})
	}
}

// age makes a repository look as if nothing had been done to it for an hour.
func age(t *testing.T, dir string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	must(t, filepath.WalkDir(gitDir(dir), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return os.Chtimes(path, old, old)
	}))
}

func TestMarks(t *testing.T) {
	s := newSite(t, systemGit(t))
	dir := s.repo("proj")
	fresh := look(gitDir(dir), all)
	if fresh.settled {
		t.Error("a file of this moment can't be told from the next of this moment")
	}
	age(t, dir)
	before := look(gitDir(dir), all)
	if !before.settled || before.sum == fresh.sum || before != look(gitDir(dir), all) {
		t.Error("old files don't settle")
	}
	must(t, os.WriteFile(filepath.Join(gitDir(dir), "refs", "heads", "x.lock"), nil, 0o600))
	must(t, os.MkdirAll(filepath.Join(gitDir(dir), "refs", "heads", "empty"), 0o700))
	if look(gitDir(dir), all) != before {
		t.Error("locks and empty folders count")
	}
	must(t, os.Symlink(filepath.Join(gitDir(dir), "refs"), filepath.Join(gitDir(dir), "refs", "heads", "loop")))
	if look(gitDir(dir), all).settled {
		t.Error("a link to a folder settles")
	}
}

// Links within a git dir lead out of what is watched.
func TestLinks(t *testing.T) {
	for name, link := range map[string]string{"refs": "refs", "below": "refs/heads/a", "config": "config"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, systemGit(t))
			dir := s.repo("proj")
			s.run(dir, "branch", "a/b/c")
			e := listen(t, gitDir(dir))
			elsewhere, path := filepath.Join(s.dir, "elsewhere"), filepath.Join(gitDir(dir), filepath.FromSlash(link))
			must(t, os.Rename(path, elsewhere))
			must(t, os.Symlink(elsewhere, path))
			e.until("the link", func([]string) bool { return !e.watches() && e.logs.lines("symbolic link") == 1 })
			age(t, dir)
			e.until("settled", func([]string) bool { return e.settled(gitDir(dir)) || name == "below" })
			e.forget()
			s.run(dir, "update-ref", "refs/heads/a/b/d", "main")
			s.run(dir, "config", "xmpp.sync", "true")
			e.hears(gitDir(dir))
		})
	}
}

func (e *ear) settled(gitDir string) bool {
	e.Watcher.mu.Lock()
	defer e.Watcher.mu.Unlock()
	return e.repos[gitDir].last.settled
}

// Nobody is woken up if nothing has to be polled.
func TestIdle(t *testing.T) {
	s := newSite(t, systemGit(t))
	e := listen(t, gitDir(s.repo("proj")))
	if wait, ok := e.untilDue(); ok {
		t.Errorf("would look in %v", wait)
	}
}

func TestInbox(t *testing.T) {
	b := newInbox()
	for i := range maxEvents {
		b.put(fsnotify.Event{Name: fmt.Sprint(i % (maxEvents - 1)), Op: fsnotify.Create})
	}
	b.put(fsnotify.Event{Name: "0", Op: fsnotify.Remove})
	b.put(fsnotify.Event{Name: "x.lock", Op: fsnotify.Create})
	b.put(fsnotify.Event{Name: "x", Op: fsnotify.Chmod})
	events, lost := b.take()
	if len(events) != maxEvents-1 || lost || events[0].Op != fsnotify.Create|fsnotify.Remove || events[1].Name != "1" {
		t.Errorf("%d events, %v", len(events), lost)
	}
	for i := range maxEvents + 1 {
		b.put(fsnotify.Event{Name: fmt.Sprint(i), Op: fsnotify.Write})
	}
	if events, lost := b.take(); len(events) != maxEvents || !lost {
		t.Errorf("%d events, %v", len(events), lost)
	}
	if events, lost := b.take(); len(events) != 0 || lost {
		t.Errorf("taken twice: %d, %v", len(events), lost)
	}
}
