package lfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// maxPartialAge is how long a partial object is kept that nobody goes on with.
	maxPartialAge = 14 * 24 * time.Hour
	// maxPartials is how many of them are kept for one owner.
	maxPartials = 64
)

// sweep removes partial objects that are too old, and the oldest of an owner that has too many. Those in use stay. What can't be read
// or removed is left to the next sweep.
func (s Store) sweep(now time.Time) {
	owners, err := os.ReadDir(s.partialsDir())
	if err != nil {
		return
	}
	for _, owner := range owners {
		if !owner.IsDir() {
			continue
		}
		dir := filepath.Join(s.partialsDir(), owner.Name())
		sweepOwner(dir, now)
		if info, err := owner.Info(); err == nil && tooOld(info, now) {
			_ = os.Remove(dir) // unless something is in it
		}
	}
}

func tooOld(info fs.FileInfo, now time.Time) bool { return now.Sub(info.ModTime()) > maxPartialAge }

func sweepOwner(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var parts []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		switch filepath.Ext(e.Name()) {
		case partSuffix:
			parts = append(parts, info)
		case lockSuffix:
			if tooOld(info, now) { // a crash has left it
				unlessUsed(filepath.Join(dir, e.Name()), func() {})
			}
		}
	}
	slices.SortFunc(parts, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for i, info := range parts {
		if len(parts)-i > maxPartials || tooOld(info, now) {
			part := filepath.Join(dir, info.Name())
			unlessUsed(strings.TrimSuffix(part, partSuffix)+lockSuffix, func() { _ = os.Remove(part) })
		}
	}
}

// unlessUsed does something under a lock that nobody else holds, and takes it away.
func unlessUsed(path string, do func()) {
	if l, err := tryLock(path); l != nil && err == nil {
		do()
		l.release()
	}
}
