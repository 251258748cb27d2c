package integration

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	ourPrefix     = "git-remote-xmpp: "
	refusalPrefix = "fatal: remote error: "
)

// A badInput is a use of the helper that must fail with one line and change nothing.
type badInput struct {
	home    *home
	dir     string   // the repository that git runs in
	env     []string // added to the home's
	url     string   // without xmpp::
	push    bool
	clone   bool          // into a new folder beside dir, when through git
	status  int           // of the helper
	refused bool          // by the peer: git tells it
	line    string        // what the line holds
	within  time.Duration // how long it may take; 0: the deadline
	watched []string      // folders that stay as they are
	secrets []string      // what no output may hold
	prepare func(cmd *exec.Cmd)
}

// check runs the helper as git does, and then has git run it, with a trace.
func (b badInput) check(t *testing.T) {
	t.Helper()
	before := snapshot(t, b.watched...)
	for _, who := range []string{"helper", "git"} {
		run := b.direct
		if who == "git" {
			run = b.throughGit
		}
		began := time.Now()
		r := run(t)
		took := time.Since(began)
		if b.within > 0 && took > b.within {
			t.Errorf("%s: it took %v", who, took)
		}
		noSecrets(t, r, b.secrets)
		if line := b.onlyLine(t, who, r); !strings.Contains(line, b.line) {
			t.Errorf("%s: the line is %q, want %q", who, line, b.line)
		} else {
			t.Logf("%s, %v: %s", who, took.Round(time.Millisecond), line)
		}
		if who == "helper" && r.status != b.status || r.status == 0 {
			t.Errorf("%s: want status %d: %v", who, b.status, r)
		}
	}
	sameSnapshot(t, before, snapshot(t, b.watched...))
}

// direct runs the helper in the environment that git gives it, and holds on to its standard input until it has ended.
func (b badInput) direct(t *testing.T) result {
	t.Helper()
	cmd := b.home.command(b.dir, "git-remote-xmpp", "origin", b.url)
	cmd.Env = append(append(cmd.Env, "GIT_DIR="+filepath.Join(b.dir, ".git")), b.env...)
	service := "git-upload-pack"
	if b.push {
		service = "git-receive-pack"
	}
	if b.prepare != nil {
		b.prepare(cmd)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(stdin, "capabilities\nconnect %s\n", service); err != nil { // fits into the pipe
		t.Fatal(err)
	}
	return runWithin(t, deadline, cmd)
}

func (b badInput) throughGit(t *testing.T) result {
	t.Helper()
	args := []string{"ls-remote", "xmpp::" + b.url}
	if b.push {
		args = []string{"push", "xmpp::" + b.url, "main"}
	}
	dir := b.dir
	if b.clone {
		dir, args = b.home.dir, []string{"clone", "xmpp::" + b.url, "new"}
	}
	cmd := b.home.command(dir, "git", args...)
	cmd.Env = append(append(cmd.Env, "GIT_XMPP_TRACE=1"), b.env...)
	if b.prepare != nil {
		b.prepare(cmd)
	}
	return runWithin(t, deadline, cmd)
}

// traced is what begins a line of a trace.
var traced = regexp.MustCompile(`(?m)^time=.*\n`)

// onlyLine is the one line that says what is wrong: ours, or git's about the peer's refusal, which the helper puts into a packet.
func (b badInput) onlyLine(t *testing.T, who string, r result) string {
	t.Helper()
	said := traced.ReplaceAllString(r.stderr, "")
	ours, refusals := linesWith(said, ourPrefix), linesWith(said, refusalPrefix)
	if who == "helper" {
		if other := strings.Count(said, "\n") - len(ours); other != 0 {
			t.Errorf("helper: %d lines more than ours: %v", other, r)
		}
		if _, packet, ok := strings.Cut(r.stdout, "ERR "); ok {
			refusals = append(refusals, strings.TrimSpace(packet))
		}
	}
	want, other := ours, refusals
	if b.refused {
		want, other = refusals, ours
	}
	if len(want) != 1 || len(other) != 0 || strings.Contains(said, "goroutine ") {
		t.Errorf("%s: not one line: %v", who, r)
		return said
	}
	return want[0]
}

// linesWith returns the lines that begin with a prefix, without it.
func linesWith(text, prefix string) (found []string) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			found = append(found, strings.TrimSpace(rest))
		}
	}
	return found
}

// fails runs a command that must fail with one line, and nothing on standard output.
func fails(t *testing.T, h *home, dir string, status int, line string, args ...string) {
	t.Helper()
	r := h.try(dir, "git-remote-xmpp", args...)
	said := linesWith(r.stderr, ourPrefix)
	if r.status != status || len(said) != 1 || strings.Count(r.stderr, "\n") != 1 || r.stdout != "" || !strings.Contains(r.stderr, line) {
		t.Errorf("git-remote-xmpp %q: %v; want status %d and a line with %q", args, r, status, line)
		return
	}
	t.Logf("%q: %s", args, said[0])
}

func noSecrets(t *testing.T, r result, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(r.stdout+r.stderr, s) {
			t.Errorf("a secret is in the output: %v", r)
		}
	}
}
