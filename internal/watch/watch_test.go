package watch

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scene is something that must be told of: done is done to the repository dir
// after it is watched, prepare before.
type scene struct {
	prepare, done func(s *site, dir string)
}

// scenes are what happens to refs, whatever they are kept in.
var scenes = map[string]scene{
	"commit":  {done: (*site).commit},
	"slashes": {done: func(s *site, dir string) { s.run(dir, "branch", "a/b/c/d") }},
	"deeper": {
		prepare: func(s *site, dir string) { s.run(dir, "branch", "a/b/c") },
		done:    func(s *site, dir string) { s.run(dir, "branch", "a/b/d/e/f") },
	},
	"tag":           {done: func(s *site, dir string) { s.run(dir, "tag", "v1") }},
	"annotated tag": {done: func(s *site, dir string) { s.run(dir, "tag", "-a", "-m", "x", "v1") }},
	"other refs":    {done: func(s *site, dir string) { s.run(dir, "update-ref", "refs/x/y/z", "main") }},
	"delete": {
		prepare: func(s *site, dir string) { s.run(dir, "branch", "a/b") },
		done:    func(s *site, dir string) { s.run(dir, "branch", "-D", "a/b") },
	},
	"rename": {
		prepare: func(s *site, dir string) { s.run(dir, "branch", "a") },
		done:    func(s *site, dir string) { s.run(dir, "branch", "-m", "a", "a/b") },
	},
	"transaction": {done: func(s *site, dir string) { s.feed(dir, many(1000), "update-ref", "--stdin") }},
	"reset": {
		prepare: (*site).commit,
		done:    func(s *site, dir string) { s.run(dir, "reset", "-q", "--hard", "HEAD^") },
	},
	"pushed": {
		prepare: func(s *site, dir string) { s.commit(s.clone(dir)) },
		done:    func(s *site, dir string) { s.run(s.clone(dir), "push", "-q", "origin", "HEAD:refs/heads/from/there") },
	},
	"fetch": {
		prepare: func(s *site, dir string) { s.run(dir, "remote", "add", "there", s.clone(dir)); s.commit(s.clone(dir)) },
		done:    func(s *site, dir string) { s.run(dir, "fetch", "-q", "there") },
	},
	"linked work tree": {
		prepare: func(s *site, dir string) { s.run(dir, "worktree", "add", "-q", "-b", "linked", dir+"-linked") },
		done:    func(s *site, dir string) { s.commit(dir + "-linked") },
	},
	"work tree added": {done: func(s *site, dir string) { s.run(dir, "worktree", "add", "-q", "-b", "linked", dir+"-linked") }},
	"switched on":     {done: func(s *site, dir string) { s.run(dir, "config", "xmpp.sync", "true") }},
	"switched off": {
		prepare: func(s *site, dir string) { s.run(dir, "config", "xmpp.sync", "true") },
		done:    func(s *site, dir string) { s.run(dir, "config", "--unset", "xmpp.sync") },
	},
	"HEAD":          {done: func(s *site, dir string) { s.run(dir, "symbolic-ref", "HEAD", "refs/heads/new") }},
	"detached HEAD": {done: func(s *site, dir string) { s.run(dir, "checkout", "-q", "--detach") }},
	"pack-refs":     {done: func(s *site, dir string) { s.run(dir, "pack-refs", "--all") }},
	"gc":            {done: func(s *site, dir string) { s.run(dir, "gc", "-q") }},
	"packed": { // a deletion that nothing in refs shows
		prepare: func(s *site, dir string) { s.run(dir, "branch", "a"); s.run(dir, "pack-refs", "--all") },
		done:    func(s *site, dir string) { s.run(dir, "update-ref", "-d", "refs/heads/a") },
	},
	"after pack-refs": { // which has taken the folders away
		prepare: func(s *site, dir string) { s.run(dir, "branch", "a/b"); s.run(dir, "pack-refs", "--all") },
		done:    func(s *site, dir string) { s.commit(dir); s.run(dir, "branch", "-f", "a/b") },
	},
}

// clone is the path of a repository's clone, which is made if it isn't there.
func (s *site) clone(dir string) string {
	s.t.Helper()
	if _, err := os.Stat(dir + "-clone"); errors.Is(err, fs.ErrNotExist) {
		s.run(s.dir, "clone", "-q", dir, dir+"-clone")
	}
	return dir + "-clone"
}

func (c scene) play(s *site, dir string) {
	s.t.Helper()
	if c.prepare != nil {
		c.prepare(s, dir)
	}
	age(s.t, dir) // polling tells of fresh files anyway
	e := listen(s.t, gitDir(dir))
	c.done(s, dir)
	e.hears(gitDir(dir))
	if e.logs.String() != "" {
		s.t.Error(e.logs.String())
	}
}

func TestFiles(t *testing.T) {
	for _, git := range gits(t) {
		for name, c := range scenes {
			s := newSite(t, git)
			t.Run(name+" "+s.version(), func(t *testing.T) {
				s.t = t
				c.play(s, s.repo("proj"))
			})
		}
	}
}

func TestReftable(t *testing.T) {
	git := reftableGit(t)
	for name, c := range scenes {
		if name == "pack-refs" {
			continue // there is nothing to do: git keeps so few refs in one table
		}
		t.Run(name, func(t *testing.T) {
			s := newSite(t, git)
			c.play(s, s.repo("proj", "--ref-format=reftable"))
		})
	}
}

// reftableGit is a git that knows reftables.
func reftableGit(t *testing.T) string {
	t.Helper()
	for _, git := range gits(t) {
		s := newSite(t, git)
		if _, err := s.try(s.dir, "", "init", "-q", "--ref-format=reftable", "probe"); err == nil {
			return git
		}
	}
	t.Skip("no git that knows reftables: make gits")
	return ""
}

func (s *site) version() string { return strings.TrimPrefix(s.run(s.dir, "version"), "git version ") }

// A repository that changes what it keeps its refs in is seen on both sides of that.
func TestMigration(t *testing.T) {
	s := newSite(t, reftableGit(t))
	dir := s.repo("proj", "--ref-format=files")
	e := listen(t, gitDir(dir))
	for _, format := range []string{"reftable", "files", "reftable"} {
		seen := ""
		e.mu.Lock()
		e.see = func() { seen, _ = s.try(dir, "", "for-each-ref") }
		e.mu.Unlock()
		s.run(dir, "refs", "migrate", "--ref-format="+format)
		s.commit(dir)
		want := s.run(dir, "for-each-ref")
		e.until(format, func([]string) bool { return strings.TrimSpace(seen) == want })
	}
}

// What isn't told: another repository's change comes later and is told first.
func TestNotTold(t *testing.T) {
	quiet := map[string]func(s *site, dir string){
		"add": func(s *site, dir string) {
			must(s.t, os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o600))
			s.run(dir, "add", "file")
			s.run(dir, "status")
		},
		"objects": func(s *site, dir string) {
			s.feed(dir, "x", "hash-object", "-w", "--stdin")
			s.run(dir, "repack", "-adq")
			s.run(dir, "prune")
			s.run(dir, "multi-pack-index", "write")
		},
		"locks": func(s *site, dir string) {
			for _, name := range []string{"HEAD", "config", "packed-refs", "index", "refs/heads/main", "refs/heads/new", "refs/tags/v1"} {
				lock := filepath.Join(gitDir(dir), filepath.FromSlash(name)) + ".lock"
				must(s.t, os.WriteFile(lock, []byte("x"), 0o600))
				must(s.t, os.Remove(lock))
			}
		},
		"refused": func(s *site, dir string) { // locks by git itself
			if _, err := s.try(dir, "", "update-ref", "refs/heads/main", "main", strings.Repeat("1", 40)); err == nil {
				s.t.Error("not refused")
			}
		},
		"logs":          func(s *site, dir string) { s.run(dir, "reflog", "expire", "--expire=all", "--all") },
		"nothing new":   func(s *site, dir string) { s.run(dir, "fetch", "-q", s.clone(dir)) },
		"other folders": func(s *site, dir string) { must(s.t, os.MkdirAll(filepath.Join(gitDir(dir), "info", "x"), 0o700)) },
	}
	for _, git := range gits(t) {
		for name, do := range quiet {
			s := newSite(t, git)
			t.Run(name+" "+s.version(), func(t *testing.T) {
				s.t = t
				dir, other := s.repo("proj"), s.repo("sentinel")
				s.clone(dir)
				e := listen(t, gitDir(dir), gitDir(other))
				do(s, dir)
				s.run(other, "branch", "x")
				e.hears(gitDir(other))
				if e.hasHeard(gitDir(dir)) {
					t.Error("told")
				}
			})
		}
	}
}

func TestBare(t *testing.T) {
	s := newSite(t, systemGit(t))
	dir := s.repo("proj")
	bare := filepath.Join(s.dir, "bare.git")
	s.run(s.dir, "clone", "-q", "--bare", dir, bare) // its refs are packed
	e := listen(t, bare)
	s.commit(dir)
	s.run(dir, "push", "-q", bare, "main")
	e.hears(bare)
}

func TestAddAndRemove(t *testing.T) {
	s := newSite(t, systemGit(t))
	dir, other := s.repo("proj"), s.repo("other")
	e := listen(t, gitDir(dir), gitDir(other))
	must(t, e.Add(gitDir(dir)+string(filepath.Separator)))
	e.Remove(gitDir(dir))
	e.Remove(filepath.Join(s.dir, "unknown"))
	s.commit(dir)
	s.commit(other)
	e.hears(gitDir(other))
	if e.hasHeard(gitDir(dir)) {
		t.Error("told after Remove")
	}
	must(t, e.Add(gitDir(dir)))
	s.commit(dir)
	e.hears(gitDir(dir))
	if err := e.Add(filepath.Join(s.dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "watch "+s.dir) {
		t.Errorf("nowhere: %v", err)
	}
	if err := e.Add(filepath.Join(gitDir(dir), "HEAD")); !errors.Is(err, errNotFolder) {
		t.Errorf("a file: %v", err)
	}
	e.Close()
	e.Close()
	if err := e.Add(gitDir(dir)); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestCloseAlone(t *testing.T) {
	w, err := New(func(string) { t.Error("told") }, slog.New(slog.DiscardHandler))
	must(t, err)
	w.Close()
}
