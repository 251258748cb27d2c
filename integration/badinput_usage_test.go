package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// Wrong usage of the commands: one line, status 2, nothing done.
func TestWrongUsage(t *testing.T) {
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "other")
	alice := p.labelled(t, "Alice")
	before := snapshot(t, p.bob.dir, p.alice.dir)
	for _, c := range []struct {
		line string
		args []string
	}{
		{"no command: see git-remote-xmpp help", nil},
		{`unknown command "sreve": see git-remote-xmpp help`, []string{"sreve"}},
		{`unknown command "--serve": see git-remote-xmpp help`, []string{"--serve"}},
		{`unknown command "origin": see git-remote-xmpp help`, []string{"origin"}},
		{"malformed url", []string{"origin", "https://example.org/proj"}},
		{`unknown command "origin"`, []string{"origin", "bob@localhost/proj", "more"}},
		{`version: unexpected argument "more"`, []string{"version", "more"}},
		{`unknown command "more": see git-remote-xmpp help`, []string{"help", "more"}},
		{`help: unexpected argument "more"`, []string{"help", "serve", "more"}},
		{"completion: expected bash, zsh or fish", []string{"completion"}},
		{"completion: expected bash, zsh or fish", []string{"completion", "tcsh"}},

		{`demo: unexpected argument "more"`, []string{"demo", "more"}},
		{"server: unknown flag: --port", []string{"server", "--port", "22"}},
		{"server: --listen host:port is missing", []string{"server"}},
		{"server: no accounts: give --account user:password", []string{"server", "--listen", "127.0.0.1:0"}},

		{"serve: unknown flag: --port", []string{"serve", "--port", "22"}},
		{"serve: --base-path goes with neither a repository nor --name", []string{"serve", "--base-path", p.bob.dir, p.served}},
		{"serve: --base-path goes with neither a repository nor --name", []string{"serve", "--base-path", p.bob.dir, "--name", "x"}},
		{"serve: --export-all goes with --base-path", []string{"serve", "--export-all", p.served}},
		{"serve: --name goes with one repository", []string{"serve", "--name", "x", p.served, p.clone}},
		{`serve: --name "../x": not a plain relative name`, []string{"serve", "--name", "../x", p.served}},
		{`serve: --name "-x": not a plain relative name`, []string{"serve", "--name", "-x", p.served}},
		{`serve: --name "/x": not a plain relative name`, []string{"serve", "--name", "/x", p.served}},
		{`serve: --name "a\nb": not a plain relative name`, []string{"serve", "--name", "a\nb", p.served}},
		{"serve: flag needs an argument: --name", []string{"serve", "--name"}},

		{"invite: unknown flag: --write", []string{"invite", "--write"}},
		{"invite: one repository at a time", []string{"invite", p.served, p.clone}},
		{"invite: invalid argument", []string{"invite", "--expires", "soon", p.served}},
		{"invite: an invite grants read or write, for at most 366 days", []string{"invite", "--expires", "-1h", p.served}},
		{"invite: an invite grants read or write, for at most 366 days", []string{"invite", "--expires", "9000h", p.served}},
		{"invite: --refs is about write, --read is less", []string{"invite", "--read", "--refs", "refs/heads/a", p.served}},
		{`invite: --refs "main": not a pattern`, []string{"invite", "--refs", "main", p.served}},
		{"invite: --refs without a pattern", []string{"invite", "--refs", "", p.served}},
		{"not a pattern of full ref names", []string{"invite", "--refs", "refs/heads/\u202e*", p.served}},
		{"invite: a label is at most 64 characters", []string{"invite", "--label", "a\nb", p.served}},
		{"invite: a label is at most 64 characters", []string{"invite", "--label", strings.Repeat("x", 65), p.served}},

		{"peers: unknown flag: --xml", []string{"peers", "--xml"}},
		{"peers: one repository at a time", []string{"peers", p.served, p.clone}},
		{"peers: --access, --refs and --label go with set", []string{"peers", "--access", "read"}},
		{"peers: set KEY --access read|write|none [--refs PATTERNS] [REPO]", []string{"peers", "set", alice}},
		{"peers: set KEY --access read|write|none [--refs PATTERNS] [REPO]", []string{"peers", "set", "--access", "read"}},
		{"peers: set KEY --access read|write|none [--refs PATTERNS] [REPO]", []string{"peers", "set", alice, p.served, "more", "--access", "read"}},
		{`peers: --access "admin": access is none, read or write`, []string{"peers", "set", alice, "--access", "admin"}},
		{"peers: --access, --refs and --label go with set", []string{"peers", "--refs", "refs/heads/main"}},
		{"peers: --refs goes with --access write", []string{"peers", "set", alice, "--access", "read", "--refs", "refs/heads/main"}},
		{"peers: --refs goes with --access write", []string{"peers", "set", alice, "--access", "none", "--refs", ""}},
		{"peers: set KEY --access read|write|none [--refs PATTERNS] [REPO]", []string{"peers", "set", alice, "--refs", "refs/heads/main"}},
		{`peers: --refs "main": not a pattern of full ref names, such as refs/heads/main`, []string{"peers", "set", alice, "--access", "write", "--refs", "main"}},
		{`peers: --refs "refs/heads/**": not a pattern of full ref names`, []string{"peers", "set", alice, "--access", "write", "--refs", "refs/heads/a,refs/heads/**"}},
		{"peers: --refs more than 64 patterns, or than 4096 bytes of them", []string{"peers", "set", alice, "--access", "write", "--refs", "refs/heads/" + strings.Repeat("a", 4096)}},
		{"peers: remove KEY", []string{"peers", "remove"}},
		{"peers: remove KEY", []string{"peers", "remove", alice, "more"}},
	} {
		fails(t, p.bob, p.bob.dir, 2, c.line, c.args...)
	}

	// Right usage, but it can't be done.
	nothing := filepath.Join(p.bob.dir, "nothing")
	for _, c := range []struct {
		line string
		args []string
	}{
		{"not a git repository", []string{"serve", nothing}},
		{"not a git repository", []string{"serve"}},
		{"no such file or directory", []string{"serve", "--base-path", nothing}},
		{"not a folder", []string{"serve", "--base-path", filepath.Join(p.served, "first.txt")}},
		{"another serve runs with the keys in ", []string{"serve", p.served}},
		{"not a git repository", []string{"invite", nothing}},
		{"not a git repository", []string{"invite"}},
		{"not a git repository", []string{"invite", "--", "-x"}},
		{"not a git repository", []string{"peers", nothing}},
		{"SHA256:nobody: unknown peer", []string{"peers", "set", "SHA256:nobody", "--access", "read"}},
		{"unknown peer: give at least 4 characters of its key", []string{"peers", "remove", "SHA256:"}},
		{"not a git repository", []string{"peers", "set", alice, nothing, "--access", "read"}},
	} {
		fails(t, p.bob, p.bob.dir, 1, c.line, c.args...)
	}
	sameSnapshot(t, before, snapshot(t, p.bob.dir, p.alice.dir))
	p.alice.git(p.clone, "push", "--quiet") // the first serve still does its work
}

// A repository in a folder whose name no URL can have goes by its UUID.
func TestUnspeakableNames(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	base := filepath.Join(bob.dir, "base")
	if err := os.Mkdir(base, 0o700); err != nil {
		t.Fatal(err)
	}
	var clones []string
	for _, name := range []string{"-x", `back\slash`, "tab\tname"} {
		bob.newRepo(filepath.Join("base", name))
		clones = append(clones, bob.xmpp(base, "invite", "--", name))
	}
	bob.serve(base, "--", "-x", `back\slash`, "tab\tname")
	for _, url := range clones {
		alice.git(alice.dir, "clone", "--quiet", url, filepath.Join(t.TempDir(), "clone"))
	}
	r := alice.try(alice.dir, "git", "ls-remote", "xmpp::bob@localhost")
	for _, url := range clones {
		name, _, _ := strings.Cut(strings.TrimPrefix(url, "xmpp::bob@localhost/"), "?")
		if !strings.Contains(r.stderr, name) {
			t.Errorf("%s isn't offered: %v", name, r)
		}
	}
}
