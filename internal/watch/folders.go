package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

var (
	errTooMany = errors.New("too many folders")
	errLink    = errors.New("a symbolic link in it leads elsewhere")
	errTwice   = errors.New("it is watched under another name")
)

// place is a folder of a repository that has come, gone or been moved.
type place struct {
	r    *repository
	path string
}

// handle does what events ask for.
func (w *Watcher) handle(events []fsnotify.Event, told *list) {
	var places []place
	for _, e := range events {
		r, path := w.meaning(e)
		if r != nil {
			told.add(r.gitDir)
		}
		if path != "" {
			places = append(places, place{r, path})
		}
	}
	// What is stale goes first: to the system a folder that has been renamed is
	// the one that it watches already, under the old name.
	for _, p := range places {
		w.drop(p.r, p.path)
	}
	for _, p := range places {
		w.restore(p)
	}
}

// meaning says which repository has changed by an event, nil if none, and which
// of its folders has to be looked at again, "" if none; the git dir stands for
// everything. An event's operation is a hint: of several in a row only the sum
// is known, and systems differ in what they tell.
func (w *Watcher) meaning(e fsnotify.Event) (r *repository, path string) {
	renewed := e.Has(fsnotify.Create | fsnotify.Remove | fsnotify.Rename)
	if r := w.repos[e.Name]; r != nil && renewed {
		return r, r.gitDir
	}
	dir, base := filepath.Split(e.Name)
	r = w.folders[filepath.Clean(dir)]
	switch {
	case r == nil:
		if r = w.folders[e.Name]; r == nil || !renewed {
			return nil, ""
		}
		return r, e.Name
	case filepath.Clean(dir) != r.gitDir: // in refs
		if renewed {
			path = e.Name
		}
		return r, path
	}
	switch base {
	case "HEAD", "packed-refs", "config", "config.worktree":
		if renewed && isLink(e.Name) {
			path = r.gitDir
		}
		return r, path
	case "refs", "reftable":
		if renewed {
			return r, r.gitDir
		}
	}
	return nil, ""
}

// drop forgets the watches of a folder and all below it.
func (w *Watcher) drop(r *repository, path string) {
	if _, ok := r.folders[path]; !ok && path != r.gitDir {
		return // it was a file, as most are
	}
	for folder, cost := range r.folders {
		if path == r.gitDir || folder == path || strings.HasPrefix(folder, path+string(filepath.Separator)) {
			_ = w.system.Remove(folder) // it may be gone
			delete(r.folders, folder)
			delete(w.folders, folder)
			w.room += cost
		}
	}
}

// restore watches again what was dropped, as far as it is there.
func (w *Watcher) restore(p place) {
	if p.path == p.r.gitDir {
		_ = w.begin(p.r) // it is polled then
		return
	}
	if _, ok := p.r.folders[filepath.Dir(p.path)]; !ok {
		return // the whole of it is to be restored, or has turned out to be gone
	}
	info, err := os.Lstat(p.path)
	if err == nil && leadsElsewhere(p.path, info.Mode()) {
		err = errLink
	} else if err == nil && info.IsDir() {
		err = w.walk(p.r, p.path)
	}
	if err != nil && !isGone(err) {
		w.fallBack(p.r, err)
	}
}

// watch watches all folders of a repository.
func (w *Watcher) watch(r *repository) error {
	if err := w.checkTwice(r); err != nil {
		return err
	}
	if err := w.watchOne(r, r.gitDir); err != nil {
		return err
	}
	for _, name := range []string{"refs", "packed-refs", "config"} {
		if isLink(filepath.Join(r.gitDir, name)) {
			return errLink
		}
	}
	return w.walk(r, filepath.Join(r.gitDir, "refs"))
}

// checkTwice makes sure that a git dir isn't watched under another name, as the
// system's watches belong to folders, not to names. If the other name is out of
// date, its repository is looked at again.
func (w *Watcher) checkTwice(r *repository) error {
	for _, other := range w.repos {
		if other == r || len(other.folders) == 0 || !os.SameFile(other.info, r.info) {
			continue
		}
		if other.isThere() {
			return errTwice
		}
		w.drop(other, other.gitDir)
		w.inbox.put(fsnotify.Event{Name: other.gitDir, Op: fsnotify.Rename})
	}
	return nil
}

// walk watches a folder of refs and all below it. A folder is watched before
// what is in it is looked at, so nothing new can be missed.
func (w *Watcher) walk(r *repository, dir string) error {
	err := w.watchOne(r, dir)
	if isGone(err) {
		return nil // which was an event in the folder above
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !isGone(err) {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if leadsElsewhere(path, e.Type()) {
			return errLink
		}
		if !e.IsDir() {
			continue
		}
		if err := w.walk(r, path); err != nil {
			return err
		}
	}
	return nil
}

// watchOne watches one folder. One that is watched is not taken for it: it may
// be another one of that name.
func (w *Watcher) watchOne(r *repository, dir string) error {
	cost := 1
	if filesCount {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		cost += len(entries)
	}
	if cost -= r.folders[dir]; cost > w.room {
		return errTooMany
	}
	if err := w.system.Add(dir); err != nil {
		return err
	}
	r.folders[dir] += cost
	w.folders[dir] = r
	w.room -= cost
	return nil
}

// isGone tells whether an error says that a folder isn't there any more.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotFolder)
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// leadsElsewhere tells whether an entry is a link to a folder.
func leadsElsewhere(path string, mode fs.FileMode) bool {
	if mode&fs.ModeSymlink == 0 {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
