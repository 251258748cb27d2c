//go:build unix

package integration

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// All that the program makes for itself in a home is the user's alone, whatever the umask: after the main job, with Git LFS, repositories kept in step, and the server command.
func TestPrivateFiles(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	before := syscall.Umask(0) // of the whole process: this test runs alone
	t.Cleanup(func() { syscall.Umask(before) })
	bob := newOrigin(t, s, "Bob", "bob")
	alice := newReplica(t, s, "Alice", "alice", bob)
	alice.xmpp(alice.dir, "lfs", "setup")
	alice.env = append(alice.env, "GIT_XMPP_TRACE="+filepath.Join(alice.dataDir(), "trace"))
	id := alice.commit(alice.proj, "pushed")
	alice.git(alice.proj, "push", "--quiet", "origin", "main:topic")
	bob.at(t, "topic", id)
	bob.at(t, "main", id)
	for _, h := range []*home{bob.home, alice.home} {
		h.server(t)
	}
	want := map[*home][]string{
		bob.home:   {"identity", "resource", "peers.json", "invites.json", "served.json", "sync.json", "logins.json", "lock", "server/lock", "server/key-localhost.pem", "server/cert-localhost.pem", "hooks", "agent"},
		alice.home: {"identity", "resource", "peers.json", "served.json", "logins.json", "trace", "agent"},
	}
	for h, names := range want {
		var found []string
		for _, dir := range []string{h.dataDir(), filepath.Join(h.dir, "run")} {
			err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := e.Info()
				if err != nil {
					return err
				}
				name := strings.TrimPrefix(path, dir+"/")
				found = append(found, name, filepath.Base(path))
				if mode := info.Mode(); mode&0o077 != 0 && mode&fs.ModeSymlink == 0 && !ofProgram(info) {
					t.Errorf("%s's %s has mode %v", h.name, name, mode)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range names {
			if !slices.Contains(found, name) {
				t.Errorf("%s has no %s: %q", h.name, name, found)
			}
		}
	}
}

// ofProgram tells the program itself, to which hooks of ours may be links.
func ofProgram(info fs.FileInfo) bool {
	program, err := os.Stat(filepath.Join(binDir, "git-remote-xmpp"))
	return err == nil && os.SameFile(program, info)
}

// server runs the server command until it is ready.
func (h *home) server(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	cmd := h.command(h.dir, "git-remote-xmpp", "server", "--listen", "127.0.0.1:0", "--account", "a:b")
	lines := startLines(t, cmd)
	awaitLine(t, lines, "clients trust this server by")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range lines {
	}
	if err := cmd.Wait(); err != nil || ctx.Err() != nil {
		t.Errorf("server: %v, %v", err, ctx.Err())
	}
}

// spoiltTimeout bounds a command that finds a spoilt file: if it doesn't, it may go on for ever.
const spoiltTimeout = 15 * time.Second

// A spoilt file is one that the program has made, in another state: the command that reads it ends with one line, and leaves all as it is.
func TestSpoiltFiles(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	p := newPair(t, s)
	p.daemon.stop()
	p.bob.server(t)
	p.bob.git(p.served, "config", "xmpp.sync", "true")
	peers, invite, serve, server := []string{"peers"}, []string{"invite"}, []string{"serve"}, []string{"server", "--listen", "127.0.0.1:0", "--account", "a:b"}
	for name, args := range map[string][]string{
		"identity": peers, "resource": peers, "peers.json": peers, "invites.json": peers, "served.json": invite, "sync.json": serve, "logins.json": serve, "server/key-localhost.pem": server, "": peers, "server": server,
	} {
		path := filepath.Join(p.bob.dataDir(), name)
		if _, err := os.Stat(path); err != nil {
			good := `{"version":1,"content":{"clones":[],"waiting":[]}}` // as yet nothing has waited
			if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, spoil := range spoilings(path) {
			if os.Geteuid() != 0 && spoil.root {
				continue
			}
			t.Run(fmt.Sprintf("%s %s", name, spoil.how), func(t *testing.T) {
				original := path + ".original"
				if err := os.Rename(path, original); err != nil {
					t.Fatal(err)
				}
				defer func() {
					_ = os.RemoveAll(path)
					if err := os.Rename(original, path); err != nil {
						t.Fatal(err)
					}
				}()
				if err := spoil.do(original, path); err != nil {
					t.Fatal(err)
				}
				before := snapshot(t, p.bob.dir)
				status := 1
				if name == "logins.json" {
					status = 3 // no login without it
				}
				r := runWithin(t, spoiltTimeout, p.bob.in(t).command(p.served, "git-remote-xmpp", args...))
				if said := linesWith(r.stderr, ourPrefix); r.status != status || len(said) != 1 || strings.Count(r.stderr, "\n") != 1 || r.stdout != "" || !strings.Contains(r.stderr, spoil.line) {
					t.Errorf("git-remote-xmpp %q: %v; want status %d and a line with %q", args, r, status, spoil.line)
				}
				sameSnapshot(t, before, snapshot(t, p.bob.dir))
			})
		}
	}
}

// A spoiling makes a bad file of a good one.
type spoiling struct {
	how, line string
	root      bool // only root can do that
	do        func(good, path string) error
}

func spoilings(path string) []spoiling {
	const nobody = 65534
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		open := func(mode fs.FileMode) func(good, path string) error {
			return func(good, path string) error {
				if err := os.CopyFS(path, os.DirFS(good)); err != nil {
					return err
				}
				return os.Chmod(path, mode)
			}
		}
		return []spoiling{
			{how: "writable", line: "chmod 700 " + path, do: open(0o722)},
			{how: "of somebody else", root: true, line: "is owned by another user (uid 65534)", do: func(good, path string) error {
				return firstError(open(0o700)(good, path), os.Chown(path, nobody, nobody))
			}},
		}
	}
	write := func(change func(text []byte) []byte, mode fs.FileMode) func(good, path string) error {
		return func(good, path string) error {
			text, err := os.ReadFile(good)
			return firstError(err, os.WriteFile(path, change(text), 0o600), os.Chmod(path, mode))
		}
	}
	all := func(text []byte) []byte { return text }
	list := []spoiling{
		{how: "writable", line: "is open to others (mode 0622): chmod 600 " + path, do: write(all, 0o622)},
		{how: "of somebody else", root: true, line: path + " is owned by another user (uid 65534): chown or remove it", do: func(good, path string) error {
			return firstError(write(all, 0o600)(good, path), os.Chown(path, nobody, nobody))
		}},
		{how: "link to nothing", line: path + ": symbolic link to nothing", do: func(_, path string) error { return os.Symlink(path+".nothing", path) }},
		{how: "folder", line: path + ": not a regular file", do: func(_, path string) error { return os.Mkdir(path, 0o700) }},
		{how: "pipe", line: path + ": not a regular file", do: func(_, path string) error { return syscall.Mkfifo(path, 0o600) }},
		{how: "empty", line: path, do: write(func([]byte) []byte { return nil }, 0o600)},
		{how: "half-written", line: path, do: write(func(text []byte) []byte { return text[:len(text)/2] }, 0o600)},
		{how: "large", line: "larger than 1 MiB", do: write(func([]byte) []byte { return make([]byte, 1<<20+1) }, 0o600)},
		{how: "link to an open file", line: "is open to others", do: func(good, path string) error {
			return firstError(write(all, 0o666)(good, path+".target"), os.Symlink(path+".target", path))
		}},
	}
	if slices.Contains([]string{"identity", "resource", "served.json"}, filepath.Base(path)) || strings.HasSuffix(path, ".pem") {
		list = append(list, spoiling{how: "readable", line: "is open to others (mode 0640): chmod 600 " + path, do: write(all, 0o640)})
	}
	return list
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
