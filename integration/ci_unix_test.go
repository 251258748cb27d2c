//go:build !windows

package integration

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"git-remote-xmpp/integration/testserver"
	"github.com/google/uuid"
)

// examples are the blocks of doc/ci.md, without their indentation.
func examples(t *testing.T) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile("../doc/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile(`(?m)(^    .*\n|^\n)+`).FindAllString(string(text), -1) {
		if block = regexp.MustCompile(`(?m)^    `).ReplaceAllString(strings.Trim(block, "\n"), ""); block != "" {
			blocks = append(blocks, block+"\n")
		}
	}
	return blocks
}

// example is the block that begins so.
func example(t *testing.T, begin string) string {
	t.Helper()
	blocks := examples(t)
	i := slices.IndexFunc(blocks, func(b string) bool { return strings.HasPrefix(b, begin) })
	if i < 0 {
		t.Fatalf("doc/ci.md has no example that begins %q", begin)
	}
	return blocks[i]
}

// A runner has what CI is given for each run, on a machine that is empty.
type runner struct {
	server  *testserver.Server
	secrets []string // variables
}

// run runs a script on a new machine, in a copy of a repository if there is one. In its home there is but what a server needs that isn't on the Internet.
func (c *runner) run(t *testing.T, script, checkout string, variables ...string) (result, string) {
	t.Helper()
	home := t.TempDir()
	dir := filepath.Join(home, "checkout")
	args := []string{"init", "--quiet", dir}
	if checkout != "" {
		args = []string{"clone", "--quiet", checkout, dir}
	}
	if out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	settings := "[xmpp]\nserver = " + c.server.Addr + "\nsslCAInfo = " + c.server.CAFile + "\n"
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "script")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "env", slices.Concat([]string{"-i", "PATH=" + binDir + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + home}, c.secrets, variables, []string{"sh", path})...)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setsid: true} // there is no terminal
	r := runWithin(t, deadline, cmd)
	for _, v := range c.secrets[1:3] {
		_, secret, _ := strings.Cut(v, "=")
		noSecrets(t, r, []string{secret})
	}
	return r, dir
}

// What doc/ci.md has one do once by hand makes its examples work, each on a machine that knows nothing but the secrets, as often as one likes. Others get nowhere by the URL.
func TestCI(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newHome(t, s, "Bob", "bob")
	served := bob.newRepo("proj")
	daemon := bob.serve(served)

	url := bob.shell(t, served, example(t, "git-remote-xmpp invite"))[0]
	secrets := example(t, "openssl rand")
	if _, err := exec.LookPath("uuidgen"); err != nil { // not everybody has util-linux
		secrets = strings.Replace(secrets, "uuidgen", "echo "+uuid.NewString(), 1)
	}
	made := bob.shell(t, bob.dir, secrets)
	c := &runner{s, []string{
		"GIT_XMPP_ACCOUNT=alice@localhost", "GIT_XMPP_PASSWORD=" + s.Accounts["alice"], "GIT_XMPP_IDENTITY=" + made[0], "XMPP_REMOTE=" + url, "XMPP_UUID=" + made[1],
	}}
	script := example(t, "#!/bin/sh\n")
	var before string
	for range 3 {
		r, dir := c.run(t, script, "")
		if r.status != 0 {
			t.Fatal(r)
		}
		config, err := os.ReadFile(filepath.Join(dir, "work/.git/config"))
		if err != nil || strings.Contains(string(config), "invite") {
			t.Errorf("the invite is still in the remote's URL: %v: %s", err, config)
		}
		id := bob.git(served, "rev-parse", "ci/main")
		if got := bob.git(served, "log", "-1", "--format=%s %p", "ci/main"); id == before || got != "built "+bob.git(served, "rev-parse", "--short", "main") {
			t.Errorf("ci/main is %s: %s", id, got)
		}
		before = id
		bob.commit(served, "next-"+id[:8])
	}
	mustSay(t, bob.xmpp(served, "peers"), "  CI  ", "  alice@localhost  ", "  write to refs/heads/ci/*: 1")
	if n := len(bob.peer(t, func(p peerOutput) bool { return p.Label == "CI" }).Clients); n != 1 {
		t.Errorf("the job is %d repositories", n)
	}

	checkout := filepath.Join(t.TempDir(), "forge")
	bob.git(bob.dir, "clone", "--quiet", "--bare", served, checkout)
	for _, commands := range []string{commandsOf(example(t, "name: push\n"), "run: |\n"), commandsOf(example(t, "push:\n"), "script:\n")} {
		bob.git(served, "branch", "-D", "ci/main")
		if r, _ := c.run(t, "set -e\n"+commands, checkout); r.status != 0 {
			t.Errorf("%s: %v", commands, r)
		}
		if got, want := bob.git(served, "rev-parse", "ci/main"), bob.git(checkout, "rev-parse", "HEAD"); got != want {
			t.Errorf("%s: ci/main is %s, want %s", commands, got, want)
		}
	}

	elsewhere := strings.ReplaceAll(script, "refs/heads/ci/main", "refs/heads/main")
	for name, tt := range map[string]struct {
		script, variable string
		status           int
		words            string
	}{
		"another branch": {elsewhere, "", 1, "not yours to push: you may write to refs/heads/ci/*"},
		"another key":    {script, "GIT_XMPP_IDENTITY=" + newSeed(t), 128, "the invite has been used"},
		"no key":         {script, "GIT_XMPP_IDENTITY=none", 128, "GIT_XMPP_IDENTITY: neither a key nor a file with one"},
		"no password":    {script, "GIT_XMPP_PASSWORD=", 128, "no password: set GIT_XMPP_PASSWORD"},
		"wrong password": {script, "GIT_XMPP_PASSWORD=wr0ng", 128, "wrong password or no such account"},
	} {
		t.Run(name, func(t *testing.T) {
			if r, _ := c.run(t, tt.script, "", strings.Fields(tt.variable)...); r.status != tt.status || !strings.Contains(r.stderr, tt.words) {
				t.Errorf("want exit status %d and %q: %v", tt.status, tt.words, r)
			}
		})
	}
	asked, _, _ := strings.Cut(script, "timeout")
	asked += "git-remote-xmpp doctor\n"
	if r, _ := c.run(t, asked, ""); r.status != 0 || !strings.Contains(r.stdout, "\n– known     by the invite in the URL") || !strings.Contains(r.stdout, "\n✓ refs      ") {
		t.Errorf("doctor: %v", r)
	}
	daemon.stop()
	if r, _ := c.run(t, script, ""); r.status != 128 || !strings.Contains(r.stderr, "is git-remote-xmpp serve running there?") {
		t.Errorf("nobody is there: %v", r)
	}
	if r, _ := c.run(t, asked, ""); r.status != 0 || !strings.Contains(r.stdout, "\n– online    bob@localhost/git-") {
		t.Errorf("doctor: %v", r)
	}
	bob.serve(served)
	bob.xmpp(served, "peers", "remove", bob.peer(t, func(p peerOutput) bool { return p.Label == "CI" }).Key)
	if r, _ := c.run(t, script, ""); r.status != 128 {
		t.Errorf("who was removed is let in: %v", r)
	}
}

// What stays on a machine that has a home is a token of the server's, by which it fetches later.
func TestCIRunnerThatStays(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{SASL2: true})
	bob, ci := newHome(t, s, "Bob", "bob"), newNewcomer(t, s)
	served := bob.newRepo("proj")
	bob.serve(served)
	commands := strings.SplitAfterN(example(t, "git-remote-xmpp login"), "\n", 2)
	ci.env = append(ci.env, rightPassword)
	ci.shell(t, ci.dir, strings.ReplaceAll(commands[0], "ci@example.org", ci.account))
	ci.forgetPassword()
	ci.env = append(ci.env, "XMPP_REMOTE="+bob.xmpp(served, "invite"))
	ci.shell(t, ci.dir, commands[1])
	want := bob.commit(served, "second")
	ci.git(filepath.Join(ci.dir, "proj"), "pull", "--quiet")
	if got := ci.git(filepath.Join(ci.dir, "proj"), "rev-parse", "HEAD"); got != want || ci.kept() != "" {
		t.Errorf("HEAD is %s, want %s; kept %q", got, want, ci.kept())
	}
}

// Nothing is shown that isn't tried.
func TestCIHasNoOtherExamples(t *testing.T) {
	for _, block := range examples(t) {
		tried := []string{"git-remote-xmpp invite", "openssl rand", "SHA256:", "#!/bin/sh\n", "name: push\n", "push:\n", "git-remote-xmpp login"}
		if !slices.ContainsFunc(tried, func(begin string) bool { return strings.HasPrefix(block, begin) }) {
			t.Errorf("nothing tries\n%s", block)
		}
	}
}

// shell runs what a document shows, and returns the lines that it prints.
func (h *home) shell(t *testing.T, dir, commands string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", commands)
	cmd.Dir, cmd.Env = dir, h.env
	r := runWithin(t, deadline, cmd)
	if r.status != 0 {
		t.Fatalf("%s: %v", commands, r)
	}
	return strings.Split(strings.TrimSpace(r.stdout), "\n")
}

// newSeed is a key as `openssl rand -base64 32` makes it.
func newSeed(t *testing.T) string {
	t.Helper()
	seed := make([]byte, 32)
	rand.Read(seed)
	return base64.StdEncoding.EncodeToString(seed)
}

// commandsOf are the lines of a block of YAML, or the items of a list, that follow a line.
func commandsOf(yaml, after string) string {
	_, rest, _ := strings.Cut(yaml, after)
	return regexp.MustCompile(`(?m)^ +(- )?`).ReplaceAllString(rest, "")
}
