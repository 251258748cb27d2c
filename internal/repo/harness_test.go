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
)

// TestMain lets the test binary serve as the hook and as the remote helper
// for toy:: URLs, and for xmpp:: where it is put into PATH, so that real git pushes through Command and
// RewriteAdvertisement.
func TestMain(m *testing.M) {
	if name, ok := IsHook(os.Args[0], os.Getenv); ok {
		os.Exit(RunHook(context.Background(), name, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	if name := filepath.Base(os.Args[0]); name == "git-remote-toy" || name == helperName {
		if err := toyHelper(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "toy:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv("TOY_HOOK") != "" {
		os.Exit(toyProcReceive())
	}
	if os.Getenv("TOY_UUID_OF") != "" {
		os.Exit(printUUID(os.Getenv("TOY_UUID_OF")))
	}
	os.Exit(m.Run())
}

const (
	testJID   = "alice@example.org/home"
	testKey   = "SHA256:abcdef"
	aliceUUID = "11111111-1111-4111-8111-111111111111"
	otherUUID = "22222222-2222-4222-8222-222222222222"
	syncedRef = "refs/synced/" + aliceUUID + "/main"
)

// world is a served repository and a pusher's clone of it.
type world struct {
	t              *testing.T
	server, client string // paths
	data           string
}

// isolate keeps the machine's and the user's settings out of a test.
func isolate(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	home, bin := filepath.Join(dir, "home"), filepath.Join(dir, "bin")
	writeFile(t, filepath.Join(home, ".gitconfig"), "[user]\n\tname = Owner\n\temail = owner@example.net\n[init]\n\tdefaultBranch = main\n", 0o644)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(bin, "git-remote-toy")); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "xdg"),
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
		"PATH":            bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"GIT_AUTHOR_NAME": "Alice", "GIT_AUTHOR_EMAIL": "alice@example.com",
		"GIT_COMMITTER_NAME": "Alice", "GIT_COMMITTER_EMAIL": "alice@example.com",
		"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000",
		"TOY_UUID": aliceUUID, "TOY_LABEL": "alice", "TOY_DATA": filepath.Join(dir, "data"),
		"TOY_MODE": "", "TOY_INTEGRATE": "", "TOY_PID_FILE": "", "TOY_PLAIN": "", "TOY_VERSION": "", "TOY_MERGES": "", "TOY_REFS": "", "TOY_TOLD": "",
		"GORACE": "atexit_sleep_ms=0", // hooks and helpers are this binary
	} {
		t.Setenv(key, value)
	}
	return dir
}

// newWorld makes a served repository with one commit on main, in which main is
// checked out unless the arguments for `git init` say --bare, and its clone.
func newWorld(t *testing.T, initArgs ...string) *world {
	t.Helper()
	dir := isolate(t)
	w := &world{t: t, server: filepath.Join(dir, "server"), client: filepath.Join(dir, "client"), data: filepath.Join(dir, "data")}
	seed := filepath.Join(dir, "seed")
	git(t, dir, append(append([]string{"init", "-q", "-b", "main"}, initArgs...), w.server)...)
	format := git(t, w.server, "rev-parse", "--show-object-format")
	git(t, dir, "init", "-q", "-b", "main", "--object-format="+format, seed)
	commit(t, seed, "one", "one")
	git(t, seed, "push", "-q", w.server, "main:refs/heads/seed")
	git(t, w.server, "update-ref", "refs/heads/main", "refs/heads/seed")
	git(t, w.server, "update-ref", "-d", "refs/heads/seed")
	if !w.bare() {
		git(t, w.server, "reset", "-q", "--hard")
	}
	git(t, dir, "clone", "-q", "toy::"+w.server, w.client)
	return w
}

func (w *world) bare() bool {
	return git(w.t, w.server, "rev-parse", "--is-bare-repository") == "true"
}

// push runs `git push` in the client and returns all that it says.
func (w *world) push(args ...string) (out string, status int) {
	w.t.Helper()
	return try(w.t, w.client, append([]string{"push"}, args...)...)
}

// mustPush is push, which must succeed and say each of the given things.
func (w *world) mustPush(args []string, say ...string) {
	w.t.Helper()
	out, status := w.push(args...)
	if status != 0 {
		w.t.Fatalf("git push %v: exit status %d\n%s", args, status, out)
	}
	w.says(out, say...)
}

func (w *world) says(out string, say ...string) {
	w.t.Helper()
	for _, s := range say {
		if !strings.Contains(spaced(out), spaced(s)) {
			w.t.Errorf("git doesn't say %q:\n%s", s, out)
		}
	}
}

// diverge makes a commit on main on either side.
func (w *world) diverge() {
	w.t.Helper()
	w.commitOnServer("theirs")
	commit(w.t, w.client, "ours", "ours")
}

// commitOnServer puts a commit on the server's main, in a work tree or not.
func (w *world) commitOnServer(file string) {
	w.t.Helper()
	if !w.bare() {
		commit(w.t, w.server, file, file)
		return
	}
	tmp := filepath.Join(w.t.TempDir(), "tmp")
	git(w.t, w.server, "worktree", "add", "-q", "--detach", tmp, "main")
	commit(w.t, tmp, file, file)
	git(w.t, w.server, "update-ref", "refs/heads/main", git(w.t, tmp, "rev-parse", "HEAD"))
	git(w.t, w.server, "worktree", "remove", tmp)
}

// is checks that a ref of the server has the value of a revision of the client;
// "" means that it must not exist.
func (w *world) is(ref, revision string) {
	w.t.Helper()
	got, status := try(w.t, w.server, "rev-parse", "-q", "--verify", ref)
	if status != 0 {
		got = ""
	}
	want := ""
	if revision != "" {
		want = git(w.t, w.client, "rev-parse", revision)
	}
	if strings.TrimSpace(got) != want {
		w.t.Errorf("the server's %s is %q, want %q (%s)", ref, strings.TrimSpace(got), want, revision)
	}
}

// hook gives the server a hook of its own.
func (w *world) hook(name, script string) {
	w.t.Helper()
	writeFile(w.t, filepath.Join(absolute(w.server, git(w.t, w.server, "rev-parse", "--git-path", "hooks")), name), "#!/bin/sh\n"+script, 0o755)
}

// needsGit skips a test of something that an older git can't do.
func (w *world) needsGit(major, minor int) {
	w.t.Helper()
	r, err := Open(w.t.Context(), w.server)
	if err != nil {
		w.t.Fatal(err)
	}
	if older, err := r.olderThan(w.t.Context(), version{major, minor}); older || err != nil {
		w.t.Skipf("git is older than %d.%d, error %v", major, minor, err)
	}
}

func short(w *world, dir, revision string) string {
	return git(w.t, dir, "rev-parse", "--short", revision)
}

func commit(t *testing.T, dir, file, content string) {
	t.Helper()
	writeFile(t, filepath.Join(dir, file), content, 0o644)
	git(t, dir, "add", file)
	git(t, dir, "commit", "-q", "-m", file)
}

func writeFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// git runs git, which must succeed, and returns its trimmed output.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, status := try(t, dir, args...)
	if status != 0 {
		t.Fatalf("git %v: exit status %d\n%s", args, status, out)
	}
	return strings.TrimSpace(out)
}

// try runs git and returns all that it says and its exit status.
func try(t *testing.T, dir string, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("git %v: %v", args, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// spaced makes runs of white space one space.
func spaced(s string) string { return strings.Join(strings.Fields(s), " ") }
