package demo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/demo"
)

// deadline bounds every wait.
const deadline = 90 * time.Second

var program string // the program's file

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "git-remote-xmpp-bin-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "program.exe") // demo gives it the name that git looks for
		build := exec.Command("go", "build", "-o", program, "../../cmd/git-remote-xmpp")
		build.Stderr = os.Stderr
		if build.Run() != nil {
			return 1
		}
		return m.Run()
	}())
}

// A run of the demo, in an environment of PATH and what is given. Its temporary folder and the folder it stands in are its own.
type run struct {
	t         *testing.T
	cmd       *exec.Cmd
	temp, cwd string
	alive     *os.File // ends when no process of the run is left
	stderr    bytes.Buffer
}

func newRun(t *testing.T, env ...string) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	r := &run{t: t, cmd: exec.CommandContext(ctx, program, "demo"), temp: t.TempDir(), cwd: t.TempDir()}
	if err := os.Chmod(r.cwd, 0o500); err != nil {
		t.Fatal(err)
	}
	r.cmd.Dir, r.cmd.Stderr, r.cmd.WaitDelay = r.cwd, &r.stderr, 5*time.Second
	r.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + r.temp, "TEMP=" + r.temp, "TMP=" + r.temp}, env...)
	return r
}

// watch makes alive: every process that the demo starts inherits the other end.
func (r *run) watch() {
	r.t.Helper()
	if runtime.GOOS == "windows" {
		return // no files but the three are inherited
	}
	alive, inherited, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	r.alive, r.cmd.ExtraFiles = alive, []*os.File{inherited}
}

// start starts the demo.
func (r *run) start() {
	r.t.Helper()
	r.watch()
	err := r.cmd.Start()
	for _, f := range r.cmd.ExtraFiles {
		_ = f.Close() // the demo has its own
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// wait returns the exit status, and checks that nothing is left.
func (r *run) wait() int {
	r.t.Helper()
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("demo: %v", err)
	}
	if r.alive != nil {
		defer r.alive.Close()
		// Whoever is left keeps the other end open; the exit itself took care of the others' ends.
		if err := r.alive.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			r.t.Fatal(err)
		}
		if _, err := r.alive.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			r.t.Errorf("a process is left: %v", err)
		}
	}
	for _, dir := range []string{r.temp, r.cwd} {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			r.t.Errorf("files are left: %v, %v", left, err)
		}
	}
	return r.cmd.ProcessState.ExitCode()
}

func TestDemoInAnEmptyEnvironment(t *testing.T) {
	r := newRun(t)
	var stdout bytes.Buffer
	r.cmd.Stdout = &stdout
	r.start()
	status := r.wait()
	out := stdout.String()
	if status != 0 || r.stderr.Len() > 0 {
		t.Fatalf("exit status %d\n%s\n%s", status, out, &r.stderr)
	}
	for _, line := range []string{
		`bob\$ git-remote-xmpp serve &\nready bob@localhost/git-[0-9a-f]{16}`,
		`bob\$ git-remote-xmpp invite\nxmpp::bob@localhost/proj\?invite=\S+`,
		`alice\$ git clone 'xmpp::bob@localhost/proj\?invite=\S+' proj\nCloning into 'proj'\.\.\.`,
		`alice\$ git push\nTo xmpp::bob@localhost/proj\n +[0-9a-f]+\.\.[0-9a-f]+ +main -> main`,
		`alice\$ git push\nTo xmpp::bob@localhost/proj\n \* \[new reference\] +main -> refs/synced/[0-9a-f-]{36}/main`,
		`bob\$ git log .* refs/synced/[0-9a-f-]{36}/main\n\* [0-9a-f]+ .*from bob\n\| \* [0-9a-f]+ .*more from alice`,
		`alice\$ git fetch\nFrom xmpp::bob@localhost/proj\n +[0-9a-f]+\.\.[0-9a-f]+ +main +-> origin/main`,
		`alice\$ git push\nEverything up-to-date`,
		`alice\$ git push origin v1\nTo xmpp::bob@localhost/proj\n \* \[new tag\] +v1 -> v1`,
	} {
		if !regexp.MustCompile(`(?m)^` + line + `$`).MatchString(out) {
			t.Errorf("no match for %s in:\n%s", line, out)
		}
	}
	checks := regexp.MustCompile(`(?m)^  ok: `).FindAllString(out, -1)
	last := regexp.MustCompile(`\ndemo: all (\d+) checks passed\n$`).FindStringSubmatch(out)
	if len(last) != 2 || last[1] != "23" || len(checks) != 23 {
		t.Errorf("%d checks shown, the end is %q, want 23", len(checks), last)
	}
}

// What the environment says about git, the program and the user must not matter, and nothing of the user's is touched.
func TestDemoInAnEnvironmentThatMisleads(t *testing.T) {
	home := t.TempDir()
	bad := "[xmpp]\n\taccount = nobody@nowhere.invalid\n\ttimeout = nonsense\n[core]\n\thooksPath = /nonexistent\n[commit]\n\tgpgSign = true\n"
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRun(t, "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "XDG_RUNTIME_DIR="+home, "LANGUAGE=de", "LC_MESSAGES=de_DE.UTF-8",
		"GIT_DIR="+home, "GIT_WORK_TREE="+home, "GIT_CONFIG_GLOBAL="+filepath.Join(home, ".gitconfig"), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.bare",
		"GIT_CONFIG_VALUE_0=true", "GIT_XMPP_ACCOUNT=mallory@nowhere.invalid", "GIT_XMPP_SERVER=127.0.0.1:1", "GIT_XMPP_TIMEOUT=0", "GIT_ALLOW_PROTOCOL=none",
		"EMAIL=not an address")
	out, err := r.cmd.Output()
	if err != nil || !strings.HasSuffix(string(out), " checks passed\n") {
		t.Errorf("%v\n%s\n%s", err, out, &r.stderr)
	}
	left, err := os.ReadDir(home)
	if err != nil || len(left) != 1 {
		t.Errorf("the user's home has now: %v, %v", left, err)
	}
}

// Whenever it is interrupted, the demo ends soon and leaves nothing.
func TestDemoInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process can't be interrupted alone there")
	}
	for _, at := range []string{"Two people", "bob$ git-remote-xmpp serve", "ready ", "alice$ git clone", "alice$ git push"} {
		t.Run(at, func(t *testing.T) {
			r := newRun(t)
			stdout, err := r.cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			r.start()
			if !readUntil(stdout, at) {
				t.Errorf("the demo ended without %q", at)
			}
			if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(stdout)
			if err != nil {
				t.Fatal(err)
			}
			if status := r.wait(); status != 1 || r.stderr.String() != "git-remote-xmpp: interrupted\n" {
				t.Errorf("exit status %d, says %q, and went on with:\n%s", status, &r.stderr, rest)
			}
		})
	}
}

// readUntil reads byte by byte, so that the demo is stopped where it is.
func readUntil(r io.Reader, text string) bool {
	var seen []byte
	for b := make([]byte, 1); ; {
		if _, err := r.Read(b); err != nil {
			return false
		}
		if seen = append(seen, b[0]); bytes.HasSuffix(seen, []byte(text)) {
			return true
		}
	}
}

// Nobody to show it to: the demo ends, and leaves nothing.
func TestDemoWithoutAReader(t *testing.T) {
	r := newRun(t)
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	if !readUntil(stdout, "\n") {
		t.Error("the demo says nothing")
	}
	if err := stdout.Close(); err != nil {
		t.Fatal(err)
	}
	if status := r.wait(); status != 1 || strings.Count(r.stderr.String(), "\n") != 1 {
		t.Errorf("exit status %d, says %q", status, &r.stderr)
	}
}

func TestDemoWithoutGit(t *testing.T) {
	r := newRun(t)
	r.cmd.Env[0] = "PATH=" + t.TempDir()
	r.start()
	if status := r.wait(); status != 1 || r.stderr.String() != "git-remote-xmpp: demo: git isn't installed, or isn't in PATH\n" {
		t.Errorf("exit status %d, says %q", status, &r.stderr)
	}
}

// The demo notices that something is wrong: here a program that does nothing at all, and a git that lies.
func TestDemoFails(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs programs that are scripts")
	}
	t.Setenv("TMPDIR", t.TempDir())
	idle, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = demo.Run(t.Context(), demo.Options{Out: &out, Program: idle})
	if err == nil || !strings.Contains(err.Error(), `serve says "", not that it is ready`) || strings.Contains(out.String(), "passed") {
		t.Errorf("a program that does nothing: %v\n%s", err, &out)
	}

	r := newRun(t)
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	lying := t.TempDir()
	script := "#!/bin/sh\n[ \"$1\" = push ] && exit 0\nexec '" + real + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(lying, "git"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	r.cmd.Env[0] = "PATH=" + lying + ":" + os.Getenv("PATH")
	r.cmd.Stdout = &out
	r.start()
	if status := r.wait(); status != 1 || !strings.HasPrefix(r.stderr.String(), "git-remote-xmpp: demo: check failed: git should say ") {
		t.Errorf("exit status %d, says %q", status, &r.stderr)
	}
}

func TestCancelled(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := demo.Run(ctx, demo.Options{Out: io.Discard, Program: program}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
