// Package integration tests the program from outside: real git on both ends, real XMPP servers, the
// built binary. It knows the program by its commands, settings and exit statuses only.
package integration

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// deadline bounds every wait for something that takes moments.
const deadline = 60 * time.Second

var binDir string // where git-remote-xmpp is

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "git-remote-xmpp-bin-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := buildBinary(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// buildBinary puts the program, given by GIT_REMOTE_XMPP_BIN or built here, into dir.
func buildBinary(dir string) error {
	binDir = dir
	if err := os.Symlink("git-remote-xmpp", filepath.Join(dir, "git-xmpp")); err != nil { // for git xmpp
		return err
	}
	target := filepath.Join(dir, "git-remote-xmpp")
	if given := os.Getenv("GIT_REMOTE_XMPP_BIN"); given != "" {
		abs, err := filepath.Abs(given)
		if err != nil {
			return err
		}
		return os.Symlink(abs, target)
	}
	build := exec.Command("go", "build", "-o", target, "../cmd/git-remote-xmpp")
	build.Stderr = os.Stderr
	return build.Run()
}

// A home is one person's machine: a HOME with git's settings, keys and peers.
type home struct {
	t       testing.TB
	name    string
	dir     string
	account string
	env     []string
	gitPath string // of the git to run; empty for the one in PATH
}

// newHome makes a home whose owner uses an account on a server.
func newHome(t testing.TB, s *testserver.Server, name, user string) *home {
	t.Helper()
	dir := t.TempDir()
	h := &home{t: t, name: name, dir: dir, account: user + "@" + s.Domain}
	h.env = []string{
		"HOME=" + dir, "XDG_DATA_HOME=" + filepath.Join(dir, "data"), "XDG_RUNTIME_DIR=" + filepath.Join(dir, "run"), "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"),
		"PATH=" + binDir + string(os.PathListSeparator) + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_XMPP_PASSWORD=" + s.Accounts[user], "GIT_AUTHOR_DATE=2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2024-01-01T00:00:00Z",
		"TMPDIR=" + os.TempDir(), "GIT_PROGRESS_DELAY=3600", // or git shows more of its meters on a busy machine
	}
	for key, value := range map[string]string{
		"user.name": name, "user.email": name + "@example.org", "init.defaultBranch": "main", "advice.detachedHead": "false", "gc.auto": "0",
		"xmpp.account": h.account, "xmpp.server": s.Addr, "xmpp.sslCAInfo": s.CAFile,
		"xmpp.directPath": "never", // tests of messages have all packets in them
	} {
		h.git(dir, "config", "--global", key, value)
	}
	return h
}

// A result is how a command ended.
type result struct {
	status         int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit status %d\nstdout: %s\nstderr: %s", r.status, r.stdout, r.stderr)
}

// command prepares a command in a folder; it ends with the test at the latest.
func (h *home) command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(h.t.Context(), filepath.Join(binDir, name), args...)
	if name == "git" {
		cmd = exec.CommandContext(h.t.Context(), cmp.Or(h.gitPath, "git"), args...)
	}
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, slices.Clip(h.env), 5*time.Second // clipped: what one command's gets appended is no other's
	return cmd
}

// try runs a command to its end.
func (h *home) try(dir, name string, args ...string) result {
	h.t.Helper()
	return run(h.t, h.command(dir, name, args...))
}

func run(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return result{status: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// git runs git and fails the test if git fails. The result is git's standard output, trimmed.
func (h *home) git(dir string, args ...string) string {
	h.t.Helper()
	r := h.try(dir, "git", args...)
	if r.status != 0 {
		h.t.Fatalf("%s: git %s: %v", h.name, strings.Join(args, " "), r)
	}
	return strings.TrimSpace(r.stdout)
}

// gitBoth is git with both of its outputs.
func (h *home) gitBoth(dir string, args ...string) result {
	h.t.Helper()
	r := h.try(dir, "git", args...)
	if r.status != 0 {
		h.t.Fatalf("%s: git %s: %v", h.name, strings.Join(args, " "), r)
	}
	return r
}

// xmpp runs a subcommand of the program and fails the test if it fails.
func (h *home) xmpp(dir string, args ...string) string {
	h.t.Helper()
	r := h.try(dir, "git-remote-xmpp", args...)
	if r.status != 0 {
		h.t.Fatalf("%s: git-remote-xmpp %s: %v", h.name, strings.Join(args, " "), r)
	}
	return strings.TrimSpace(r.stdout)
}

// newRepo makes a repository with one commit.
func (h *home) newRepo(name string, args ...string) string {
	h.t.Helper()
	dir := filepath.Join(h.dir, name)
	h.git(h.dir, append([]string{"init", "--quiet", dir}, args...)...)
	if len(args) == 0 || args[0] != "--bare" {
		h.commit(dir, "first")
	}
	return dir
}

// commit adds a commit that touches a file of its name, and returns its id.
func (h *home) commit(dir, name string) string {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(h.name+" "+name+"\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.git(dir, "add", "--all")
	h.git(dir, "commit", "--quiet", "--message", name)
	return h.git(dir, "rev-parse", "HEAD")
}

// A daemon is a running serve.
type daemon struct {
	t      testing.TB
	cmd    *exec.Cmd
	jid    string
	stderr *bytes.Buffer
	ended  chan error
}

// serve starts serve and waits until it is ready. It is stopped with the test.
func (h *home) serve(dir string, args ...string) *daemon {
	h.t.Helper()
	d := &daemon{t: h.t, stderr: &bytes.Buffer{}, ended: make(chan error, 1)}
	d.cmd = h.command(dir, "git-remote-xmpp", append([]string{"serve"}, args...)...)
	d.cmd.Stderr = d.stderr
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		ready <- line
		d.ended <- d.cmd.Wait()
	}()
	h.t.Cleanup(d.kill)
	select {
	case line := <-ready:
		var ok bool
		if d.jid, ok = strings.CutPrefix(strings.TrimSpace(line), "ready "); !ok {
			<-d.ended
			d.ended <- nil
			h.t.Fatalf("serve says %q; %s", line, d.stderr)
		}
	case <-time.After(deadline):
		h.t.Fatalf("serve isn't ready: %s", d.stderr)
	}
	return d
}

// stop ends serve by SIGTERM and expects exit status 0.
func (d *daemon) stop() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatal(err)
	}
	select {
	case err := <-d.ended:
		d.ended <- nil
		if err != nil {
			d.t.Fatalf("serve: %v; %s", err, d.stderr)
		}
	case <-time.After(15 * time.Second):
		d.t.Fatal("serve doesn't stop")
	}
}

// kill ends serve, if it still runs.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // it may have ended
	<-d.ended
	d.ended <- nil
	if d.t.Failed() {
		d.t.Logf("serve %s: %s", d.jid, d.stderr)
	}
}
