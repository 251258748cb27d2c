package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// refusedLFS expects git-lfs to fail with an error of ours, told once.
func (p *lfsPair) refusedLFS(t *testing.T, want string, args ...string) {
	t.Helper()
	r := p.alice.try(p.clone, "git", args...)
	if r.status == 0 || strings.Count(r.stderr, want) != 1 {
		t.Errorf("git %s: %v, want %q", strings.Join(args, " "), r, want)
	}
}

// What goes wrong is told by git-lfs in our words, with our exit status in front; git push ends before it has pushed anything.
func TestLFSRefusals(t *testing.T) {
	t.Parallel()
	p := newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "--bare")
	oid := p.commitFiles(t, map[string]int{"small.bin": 1000})["small.bin"]

	p.bob.xmpp(p.served, "peers", "set", p.alice.key(), "--access", "read", ".")
	p.refusedLFS(t, "[1] bob@localhost/proj: read-only access, push refused", "lfs", "push", "origin", "main")
	if objects := filesIn(t, filepath.Join(p.served, "lfs")); len(objects) > 0 {
		t.Errorf("who may only read has written %v", objects)
	}
	p.bob.xmpp(p.served, "peers", "set", p.alice.key(), "--access", "write", ".")
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")

	if err := os.Remove(p.alice.lfsObject(p.clone, oid)); err != nil {
		t.Fatal(err)
	}
	p.bob.xmpp(p.served, "peers", "set", p.alice.key(), "--access", "read", ".")
	p.alice.git(p.clone, "lfs", "fetch")
	p.alice.mustHave(t, p.clone, map[string]string{"small.bin": oid})
	p.bob.xmpp(p.served, "peers", "set", p.alice.key(), "--access", "write", ".")

	for _, h := range []string{p.alice.lfsObject(p.clone, oid), p.bob.lfsObject(p.served, oid)} {
		if err := os.Remove(h); err != nil {
			t.Fatal(err)
		}
	}
	p.refusedLFS(t, "[1] bob@localhost/proj: no such object there", "lfs", "fetch")

	p.commitFiles(t, map[string]int{"small.bin": 1001})
	before := p.bob.git(p.served, "rev-parse", "main")
	p.alice.git(p.clone, "config", "lfs.url", "xmpp::bob@localhost/other")
	p.refusedLFS(t, "[4] bob@localhost/other: no such repository", "push", "origin", "main")
	p.alice.git(p.clone, "config", "lfs.url", "xmpp::bob@localhost/proj?invite=x")
	p.refusedLFS(t, "[2] ", "push", "origin", "main")
	p.alice.git(p.clone, "config", "--unset", "lfs.url")
	if after := p.bob.git(p.served, "rev-parse", "main"); after != before {
		t.Errorf("main moved to %s", after)
	}
	p.daemon.stop()
	p.refusedLFS(t, "[4] bob@localhost/proj: ", "lfs", "push", "origin", "main")
}

// The agent that is run by hand says what is wrong in one line, and by its exit status.
func TestLFSAgentByHand(t *testing.T) {
	t.Parallel()
	testserver.Require(t, testserver.GitLFS)
	alice := newHome(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "Alice", "alice")
	dir := alice.newRepo("proj")
	alice.git(dir, "remote", "add", "origin", "xmpp::bob@localhost/proj")
	alice.git(dir, "remote", "add", "other", "https://example.org/proj")
	for input, want := range map[string]struct {
		status         int
		stdout, stderr string
	}{
		"":                                     {},
		`{"event":"terminate"}`:                {},
		"what?":                                {2, "", "git-remote-xmpp: not a message of git-lfs: invalid character 'w' looking for beginning of value\n"},
		`{"event":"upload","oid":"x"}`:         {2, "", "git-remote-xmpp: not a message of git-lfs: event \"upload\"\n"},
		strings.Repeat(" ", 70_000):            {2, "", "git-remote-xmpp: not a message of git-lfs: bufio.Scanner: token too long\n"},
		`{"event":"init","operation":"steal"}`: {2, `{"error":{"code":2,"message":"not a message of git-lfs: operation \"steal\""}}` + "\n", "git-remote-xmpp: not a message of git-lfs: operation \"steal\"\n"},
		`{"event":"init","operation":"upload","remote":"other"}`: {2, `{"error":{"code":2,"message":"malformed url \"https://example.org/proj\": no user, expected xmpp::user@host[/repo]"}}` + "\n",
			"git-remote-xmpp: malformed url \"https://example.org/proj\": no user, expected xmpp::user@host[/repo]\n"},
	} {
		cmd := alice.command(dir, "git-remote-xmpp", "lfs", "agent")
		cmd.Stdin = strings.NewReader(input + "\n")
		if input == "" {
			cmd.Stdin = nil
		}
		if r := run(t, cmd); r.status != want.status || r.stdout != want.stdout || r.stderr != want.stderr {
			t.Errorf("%.60s: %v", input, r)
		}
	}
	for _, args := range [][]string{{"lfs"}, {"lfs", "install"}, {"lfs", "agent", "more"}} {
		if r := alice.try(dir, "git-remote-xmpp", args...); r.status != 2 || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%v: %v", args, r)
		}
	}
}

// The set-up is made once, for the user, and leaves other URLs alone.
func TestLFSSetup(t *testing.T) {
	t.Parallel()
	testserver.Require(t, testserver.GitLFS)
	alice := newHome(t, &testserver.Server{}, "Alice", "alice")
	alice.git(alice.dir, "config", "--global", "url.xmpp::.insteadOf", "people:")
	for range 2 {
		alice.xmpp(alice.dir, "lfs", "setup")
	}
	if got, want := alice.git(alice.dir, "config", "--global", "--get-all", "url.xmpp::.insteadOf"), "people:\nxmpp://"; got != want {
		t.Errorf("url.xmpp::.insteadOf is %q, want %q", got, want)
	}
	if got := alice.git(alice.dir, "config", "--global", "--get-regexp", "^lfs"); strings.Count(got, "\n") != 3 {
		t.Errorf("settings: %s", got)
	}
}
