package serve_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/serve"
)

// age makes a configuration file look as if it had been written long ago: what is new isn't remembered.
func (f *folder) age(rel string) {
	f.Helper()
	path := filepath.Join(f.base, rel)
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		f.Fatal(err)
	}
}

// New, removed and renamed repositories are seen at once, by any kind of name, and also those that take another's place.
func TestBasePathChanges(t *testing.T) {
	f := newFolder(t)
	c := f.catalog(true)
	f.misses(c, "proj")
	f.misses(c, "")
	old := f.repo("base/proj.git")
	for range 2 {
		f.age("proj.git/config")
		f.finds(c, "proj", old)
		f.finds(c, old, old)
		f.finds(c, "", old)
	}
	f.move("base/proj.git", "base/renamed.git")
	f.misses(c, "proj")
	f.finds(c, "renamed", old)
	if e := f.finds(c, old, old); e.Repo.Dir != filepath.Join(f.base, "renamed.git") {
		t.Errorf("at %s", e.Repo.Dir)
	}
	other := f.repo("base/proj.git")
	f.age("proj.git/config")
	f.finds(c, "proj", other)
	f.move("base/proj.git", "away.git")
	f.move("base/renamed.git", "base/proj.git")
	f.finds(c, "proj", old)
	f.misses(c, other)
	if err := os.RemoveAll(filepath.Join(f.base, "proj.git")); err != nil {
		t.Fatal(err)
	}
	f.misses(c, "proj")
	f.misses(c, old)
}

// An edit that leaves the size, the inode and the time as they were is seen if the file is as new as that.
func TestBasePathRacyEdit(t *testing.T) {
	f := newFolder(t)
	before := f.repo("base/proj.git")
	c := f.catalog(true)
	f.finds(c, "proj", before)
	path := filepath.Join(f.base, "proj.git", "config")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after := "123e4567-e89b-42d3-a456-426614174000"
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(before), []byte(after)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	f.finds(c, "proj", after)
	f.misses(c, before)
}

// xmpp.export is seen at once wherever git finds it: in the repository, in a file that it includes, in the user's settings, for some folders alone.
func TestBasePathExport(t *testing.T) {
	f := newFolder(t)
	uuid := f.repo("base/proj.git")
	f.repo("base/other.git")
	dir := filepath.Join(f.base, "proj.git")
	included, global := filepath.Join(f.home, "included"), filepath.Join(f.home, ".gitconfig")
	git(t, dir, "config", "include.path", included)
	f.age("proj.git/config")
	c := f.catalog(false)
	all := f.catalog(true)
	for _, where := range [][]string{
		{"--local"}, {"--file", included}, {"--global"},
	} {
		f.misses(c, "proj")
		for _, value := range []string{"true", "false", "yes"} {
			git(t, dir, append(append([]string{"config"}, where...), "xmpp.export", value)...)
			f.finds(all, "proj", uuid)
			if value == "false" {
				f.misses(c, "proj")
				f.misses(c, uuid)
				f.misses(c, "")
				continue
			}
			f.finds(c, "proj", uuid)
			f.finds(c, uuid, uuid)
			if where[0] != "--global" {
				f.finds(c, "", uuid)
			}
		}
		git(t, dir, append(append([]string{"config"}, where...), "--unset", "xmpp.export")...)
	}
	f.misses(c, "proj")
	text := fmt.Sprintf("[includeIf \"gitdir:%s\"]\n\tpath = %s\n", filepath.ToSlash(dir), filepath.ToSlash(included))
	if err := os.WriteFile(global, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "config", "--unset", "include.path")
	git(t, dir, "config", "--file", included, "xmpp.export", "true")
	f.finds(c, "", uuid)
	f.misses(c, "other")
}

// One repository that makes no sense doesn't hurt the others.
func TestBasePathBroken(t *testing.T) {
	f := newFolder(t)
	good := f.repo("base/good.git")
	f.repo("base/settings.git")
	git(t, filepath.Join(f.base, "settings.git"), "config", "xmpp.timeout", "soon")
	f.repo("base/version.git")
	git(t, filepath.Join(f.base, "version.git"), "config", "core.repositoryFormatVersion", "99")
	f.repo("base/config.git")
	f.repo("base/head.git")
	for path, text := range map[string]string{"config.git/config": "[uuid", "head.git/HEAD": "nonsense"} {
		if err := os.WriteFile(filepath.Join(f.base, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := f.catalog(true)
	f.finds(c, "", good)
	f.finds(c, "good", good)
	f.misses(c, "config")
	for _, name := range []string{"settings", "version", "head"} {
		if e, err := c.Find(t.Context(), name, anybody); err == nil {
			t.Errorf("%s is served: %+v", name, e)
		}
	}
}

// counted puts a git before the real one that counts how often it runs.
func (f *folder) counted() (since func() int) {
	f.Helper()
	if runtime.GOOS == "windows" {
		f.Skip("the counting git is a shell script")
	}
	real, err := exec.LookPath("git")
	if err != nil {
		f.Fatal(err)
	}
	f.mkdir("bin")
	log := filepath.Join(f.home, "log")
	script := fmt.Sprintf("#!/bin/sh\necho \"$*\" >>'%s'\nexec '%s' \"$@\"\n", log, real)
	if err := os.WriteFile(filepath.Join(f.home, "bin", "git"), []byte(script), 0o700); err != nil { //nolint:gosec // a program is executable
		f.Fatal(err)
	}
	f.Setenv("PATH", filepath.Join(f.home, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	seen := 0
	return func() int {
		text, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			f.Fatal(err)
		}
		n := strings.Count(string(text), "\n")
		defer func() { seen = n }()
		return n - seen
	}
}

// Finding a repository costs no git process but those for the settings of that one, however many others there are. What has
// changed is asked about once.
func TestBasePathCost(t *testing.T) {
	f := newFolder(t)
	var last string
	for i := range 20 {
		last = f.repo(fmt.Sprintf("base/%d.git", i))
		f.age(fmt.Sprintf("%d.git/config", i))
	}
	git(t, f.home, "init", "--quiet", "--bare", filepath.Join(f.base, "stranger.git")) // without a UUID
	c := f.catalog(true)
	since := f.counted()
	expect := func(what string, want int, find func()) {
		t.Helper()
		find()
		if got := since(); got != want {
			t.Errorf("%s: git ran %d times, want %d", what, got, want)
		}
	}
	mine := func(uuid string) bool { return uuid == last }
	only := func(name string) func() {
		return func() {
			t.Helper()
			if e, err := c.Find(t.Context(), name, mine); err != nil || e.UUID != last {
				t.Errorf("%q: found %s, %v", name, e.Name, err)
			}
		}
	}
	expect("first, by name", 1+2+1, only("19")) // its UUID, its git dir, its settings
	expect("again, by name", 1, only("19"))
	expect("first, by UUID", 19+1, only(last))
	expect("again, by UUID", 1, only(last))
	expect("the only one", 1, only(""))
	expect("a name that isn't there", 0, func() { f.misses(c, "a/b") })
	expect("a name without a path that isn't there", 0, func() { f.misses(c, "nothing") })
	git(t, f.base, "-C", "3.git", "config", "some.setting", "x")
	f.age("3.git/config")
	since()
	expect("after a change", 1+1, only(last))
	expect("and again", 1, only(last))
}

// A fixed list follows changes too.
func TestFixedChanges(t *testing.T) {
	f := newFolder(t)
	one, two := f.repo("one"), f.repo("two.git")
	c, err := serve.NewCatalog(t.Context(), []string{filepath.Join(f.home, "one"), filepath.Join(f.home, "two.git")}, "")
	if err != nil {
		t.Fatal(err)
	}
	f.finds(c, "one", one)
	f.finds(c, "two.git", two)
	f.move("two.git", "three.git")
	f.misses(c, "two")
	f.misses(c, two)
	f.finds(c, "", one)
	other := f.repo("two.git")
	f.finds(c, "two", other)
	f.misses(c, two)
}
