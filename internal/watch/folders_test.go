package watch

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shot reads what is in a repository's refs.
func shot(dir string) map[string]string {
	seen := make(map[string]string)
	_ = filepath.WalkDir(filepath.Join(gitDir(dir), "refs"), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			text, _ := os.ReadFile(path)
			seen[path] = string(text)
		}
		return nil // what goes away while this looks will be told
	})
	return seen
}

// sees makes an ear look at a repository's refs whenever it is told of something.
func (e *ear) sees(dir string, last *map[string]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.see = func() { *last = shot(dir) }
}

// Whatever is done to refs, whoever looks when he is told sees what it has come
// to in the end: folders made, filled, removed, renamed and made again at full
// speed, while watches are being set.
func TestNothingIsMissed(t *testing.T) {
	s := newSite(t, systemGit(t))
	dir := s.repo("proj")
	heads := filepath.Join(gitDir(dir), "refs", "heads")
	e := listen(t, gitDir(dir))
	var last map[string]string
	e.sees(dir, &last)
	random := rand.New(rand.NewPCG(1, 2))
	path := func() string {
		parts := []string{heads}
		for range 1 + random.IntN(5) {
			parts = append(parts, string(rune('a'+random.IntN(3))))
		}
		return filepath.Join(parts...)
	}
	for round := range 300 {
		for range random.IntN(8) {
			switch p := path(); random.IntN(8) {
			case 0:
				_ = os.RemoveAll(p)
			case 1:
				_ = os.Rename(p, path()) // git does this to no refs, but a user might
			default: // fails if a file is in the way, as it does for git
				if os.MkdirAll(p, 0o700) == nil {
					_ = os.WriteFile(filepath.Join(p, "leaf"), []byte("intermediate"), 0o600)
				}
			}
		}
		p := path()
		if err := os.MkdirAll(p, 0o700); err != nil {
			t.Fatal(err)
		}
		must(t, os.WriteFile(filepath.Join(p, "leaf"), fmt.Append(nil, round), 0o600))
		want := shot(dir)
		e.until(fmt.Sprint("round ", round), func([]string) bool { return maps.Equal(last, want) })
	}
}

// git makes the folders of a ref, then the ref, without waiting for anybody.
func TestNewFolders(t *testing.T) {
	s := newSite(t, systemGit(t))
	dir := s.repo("proj")
	s.commit(dir)
	e := listen(t, gitDir(dir))
	var last map[string]string
	e.sees(dir, &last)
	for i := range 30 {
		ref := fmt.Sprintf("refs/heads/%d/%s", i, strings.Repeat("x/", i))
		for _, commit := range []string{"main", "main^"} {
			s.run(dir, "update-ref", ref+"leaf", commit)
			want := s.run(dir, "rev-parse", commit) + "\n"
			e.until(ref+commit, func([]string) bool {
				return last[filepath.Join(gitDir(dir), filepath.FromSlash(ref), "leaf")] == want
			})
		}
	}
}

func TestGone(t *testing.T) {
	for name, take := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+"-away") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, systemGit(t))
			dir := s.repo("proj")
			e := listen(t, gitDir(dir))
			must(t, take(gitDir(dir)))
			e.until("gone", func([]string) bool { return !e.watches() })
			e.hears(gitDir(dir))
			// One that comes back is found, and watched from then on.
			s.run(s.dir, "init", "-q", dir)
			e.until("back", func([]string) bool { return e.watches() })
			e.forget()
			s.run(dir, "config", "xmpp.sync", "true")
			e.hears(gitDir(dir))
			e.Remove(gitDir(dir))
			if e.watches() {
				t.Error("watches are left")
			}
		})
	}
}

// watches tells whether anything is watched.
func (e *ear) watches() bool {
	e.Watcher.mu.Lock()
	defer e.Watcher.mu.Unlock()
	if len(e.folders) == 0 && (len(e.system.WatchList()) > 0 || e.room != e.allRoom) {
		e.t.Errorf("leaked: %v, room %d of %d", e.system.WatchList(), e.room, e.allRoom)
	}
	return len(e.folders) > 0
}

// A work tree is renamed: nothing tells that of the git dir in it. Whoever looks
// for repositories finds it under the other name, and the first name may be
// somebody else's by then.
func TestMovedByAFolderAbove(t *testing.T) {
	s := newSite(t, systemGit(t))
	dir, moved := s.repo("proj"), filepath.Join(s.dir, "moved")
	e := listen(t, gitDir(dir))
	must(t, os.Rename(dir, moved))
	must(t, e.Add(gitDir(moved)))
	e.forget()
	s.run(moved, "branch", "a/b")
	e.hears(gitDir(moved))
	s.repo("proj")
	must(t, e.Add(gitDir(dir)))
	e.hears(gitDir(dir))
	e.forget()
	s.run(dir, "branch", "a/b")
	e.hears(gitDir(dir))
	e.Remove(gitDir(dir))
	e.forget()
	s.run(moved, "branch", "-D", "a/b")
	e.hears(gitDir(moved))
}

// Many repositories: each is told of itself alone.
func TestEachIsToldAlone(t *testing.T) {
	s := newSite(t, systemGit(t))
	var dirs []string
	for i := range 10 {
		dirs = append(dirs, s.repo(fmt.Sprint("proj", i)))
	}
	e := listen(t)
	for _, dir := range dirs {
		must(t, e.Add(gitDir(dir)))
	}
	for _, dir := range dirs {
		s.run(dir, "branch", "x/y")
	}
	e.hears(gitDir(dirs[9]))
	e.mu.Lock()
	defer e.mu.Unlock()
	if heard := slices.Compact(e.heard); len(heard) != len(dirs) || !slices.IsSorted(heard) {
		t.Errorf("heard %v", heard)
	}
}
