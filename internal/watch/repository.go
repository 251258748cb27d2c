package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// errNotFolder is what a file is where a folder was.
var errNotFolder error = syscall.ENOTDIR

// polled is what of a repository is polled.
type polled int

const (
	nothing polled = iota
	tables         // the list of reftables
	all            // everything; nothing is watched then
)

// intervals are how often a repository is polled.
var intervals = [...]time.Duration{tables: time.Second, all: 3 * time.Second}

// repository is one that is watched or polled.
type repository struct {
	gitDir  string
	info    fs.FileInfo    // of the git dir; nil if it is gone
	folders map[string]int // that are watched, and what of the room they take

	poll   polled
	due    time.Time // of the next poll
	last   mark      // that was seen by polling
	warned bool
}

// isThere tells whether the git dir is the folder that it was.
func (r *repository) isThere() bool {
	info, err := os.Stat(r.gitDir)
	if err != nil {
		return r.info == nil
	}
	return r.info != nil && os.SameFile(info, r.info)
}

// begin watches a repository of which nothing is watched, or has it polled. Its
// error says that it isn't there.
func (w *Watcher) begin(r *repository) error {
	info, err := os.Stat(r.gitDir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: r.gitDir, Err: errNotFolder}
	}
	if err != nil {
		r.info = nil
		w.setPoll(r, all)
		return err
	}
	r.info = info
	if w.system == nil {
		w.setPoll(r, all)
		return nil
	}
	if err := w.watch(r); err != nil {
		w.fallBack(r, err)
		return nil
	}
	w.setPoll(r, nothing)
	if _, err := os.Stat(filepath.Join(r.gitDir, "reftable")); !errors.Is(err, fs.ErrNotExist) {
		w.setPoll(r, tables)
	}
	return nil
}

// fallBack polls a repository that can't be watched. It stays so until all of
// it has to be set up again.
func (w *Watcher) fallBack(r *repository, err error) {
	w.drop(r, r.gitDir)
	w.setPoll(r, all)
	if !r.warned && !isGone(err) {
		w.log.Warn("refs are polled, not watched", "repository", r.gitDir, "err", err)
		r.warned = true
	}
}

func (w *Watcher) setPoll(r *repository, p polled) {
	r.poll = p
	if p != nothing {
		r.last, r.due = look(r.gitDir, p), time.Now().Add(w.intervals[p])
	}
}

// look polls a repository and tells whether it has changed.
func (w *Watcher) look(r *repository) bool {
	if !r.isThere() {
		w.drop(r, r.gitDir)
		_ = w.begin(r) // it is polled then
		return true
	}
	before := r.last
	w.setPoll(r, r.poll)
	return !before.settled || r.last.sum != before.sum
}
