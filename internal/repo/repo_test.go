package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestOpen(t *testing.T) {
	w := newWorld(t)
	base := filepath.Dir(w.server)
	bare, linked := filepath.Join(base, "bare.git"), filepath.Join(base, "linked")
	git(t, base, "init", "-q", "--bare", bare)
	git(t, w.server, "worktree", "add", "-q", "--detach", linked)
	if err := os.Symlink(w.server, filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(w.server, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]*Repo{
		w.server:                             {Dir: w.server + "/.git"},
		w.server + "/.git":                   {Dir: w.server + "/.git"},
		filepath.Join(base, "link"):          {Dir: w.server + "/.git"},
		linked:                               {Dir: w.server + "/.git"},
		linked + "/.git":                     {Dir: w.server + "/.git"},
		bare:                                 {Dir: bare, Bare: true},
		bare + "/":                           {Dir: bare, Bare: true},
		w.server + "/sub":                    nil,
		w.server + "/.git/refs":              nil,
		bare + "/objects":                    nil,
		base:                                 nil,
		filepath.Join(base, "missing"):       nil,
		filepath.Join(w.server, "one"):       nil,
		filepath.Join(w.server, "one\nmore"): nil,
	} {
		got, err := Open(t.Context(), path)
		if want == nil {
			if !errors.Is(err, ErrNotRepository) {
				t.Errorf("%s: error %v", path, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if got.Dir != want.Dir || got.Bare != want.Bare {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// What is named is opened, as git's own servers do it, whatever is set for folders that git happens to stand in.
func TestOpenBareWhereExplicit(t *testing.T) {
	w := newWorld(t)
	bare := filepath.Join(filepath.Dir(w.server), "bare.git")
	git(t, w.server, "init", "-q", "--bare", bare)
	git(t, w.server, "config", "--file", filepath.Join(os.Getenv("HOME"), ".gitconfig"), "safe.bareRepository", "explicit")
	for _, path := range []string{bare, w.server + "/.git"} {
		if r, err := Open(t.Context(), path); err != nil || r.Dir != path {
			t.Errorf("%s: %+v, %v", path, r, err)
		}
	}
}

func TestFromEnv(t *testing.T) {
	w := newWorld(t)
	t.Chdir(t.TempDir())
	if _, err := FromEnv(t.Context()); !errors.Is(err, ErrNotRepository) {
		t.Errorf("outside: error %v", err)
	}
	t.Setenv("GIT_DIR", w.server+"/.git")
	if r, err := FromEnv(t.Context()); err != nil || r.Dir != w.server+"/.git" {
		t.Errorf("by GIT_DIR: %+v, %v", r, err)
	}
	if r, err := Open(t.Context(), w.client); err != nil || r.Dir != w.client+"/.git" {
		t.Errorf("Open heeds GIT_DIR: %+v, %v", r, err)
	}
}

func TestFromEnvInSubfolder(t *testing.T) {
	w := newWorld(t)
	if err := os.MkdirAll(filepath.Join(w.server, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(w.server, "sub"))
	if r, err := FromEnv(t.Context()); err != nil || r.Dir != w.server+"/.git" {
		t.Errorf("%+v, %v", r, err)
	}
}

// printUUID is what the test binary does as one of several processes.
func printUUID(path string) int {
	r, err := Open(context.Background(), path)
	if err == nil {
		var id string
		if id, err = r.UUID(context.Background()); err == nil {
			fmt.Println(id)
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func TestUUIDProcessesAgree(t *testing.T) {
	w := newWorld(t)
	t.Setenv("TOY_UUID_OF", w.server)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var all []*exec.Cmd
	for range 4 {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Stdout, cmd.Stderr = new(strings.Builder), os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	ids := make(map[string]int)
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		ids[strings.TrimSpace(cmd.Stdout.(*strings.Builder).String())]++
	}
	kept := firstLine(git(t, w.server, "config", "--local", "--get-all", "xmpp.uuid")) // one that lost may be left behind it
	if len(ids) != 1 || ids[kept] != 4 || uuid.Validate(kept) != nil {
		t.Errorf("the processes got %v, the configuration has %q", ids, kept)
	}
}

func TestUUIDFromElsewhereDoesNotCount(t *testing.T) {
	w := newWorld(t)
	git(t, w.server, "config", "--file", filepath.Join(os.Getenv("HOME"), ".gitconfig"), "xmpp.uuid", otherUUID)
	r, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	id, err := r.UUID(t.Context())
	if err != nil || id == otherUUID {
		t.Errorf("%s, %v", id, err)
	}
	git(t, w.server, "config", "xmpp.uuid", "nonsense")
	if id, err := r.UUID(t.Context()); err == nil {
		t.Errorf("took %s", id)
	}
}

func TestReadUUID(t *testing.T) {
	w := newWorld(t)
	before := git(t, w.server, "config", "--local", "--list")
	if id, err := ReadUUID(t.Context(), w.server+"/.git"); id != "" || err != nil {
		t.Errorf("without one: %q, %v", id, err)
	}
	if after := git(t, w.server, "config", "--local", "--list"); after != before {
		t.Errorf("reading has changed the configuration to %s", after)
	}
	git(t, w.server, "config", "xmpp.uuid", strings.ToUpper(otherUUID))
	if id, err := ReadUUID(t.Context(), w.server+"/.git"); id != otherUUID || err != nil {
		t.Errorf("got %q, %v; want %s", id, err, otherUUID)
	}
	git(t, w.server, "config", "xmpp.uuid", "nonsense")
	if id, err := ReadUUID(t.Context(), w.server+"/.git"); err == nil {
		t.Errorf("took %q", id)
	}
}

func TestUUIDOfLockedConfiguration(t *testing.T) {
	w := newWorld(t)
	r, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, w.server+"/.git/config.lock", "", 0o644)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if id, err := r.UUID(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", id, err)
	}
}
