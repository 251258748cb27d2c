package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// install runs make install with the program that is tested, and returns where it went.
func install(t *testing.T) (prefix string) {
	t.Helper()
	prefix = t.TempDir()
	// -o: the program is there.
	cmd := exec.CommandContext(t.Context(), "make", "-o", "build", "install", "BIN="+filepath.Join(binDir, "git-remote-xmpp"), "PREFIX="+prefix)
	cmd.Dir = ".."
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { // those of a make that runs the tests
		return strings.HasPrefix(v, "MAKEFLAGS=") || strings.HasPrefix(v, "MFLAGS=") || strings.HasPrefix(v, "MAKELEVEL=") || strings.HasPrefix(v, "DESTDIR=")
	})
	if r := run(t, cmd); r.status != 0 {
		t.Fatalf("make install: %v", r)
	}
	return prefix
}

// installedHome is a home in which what make install has made comes before all else.
func installedHome(t *testing.T, h *home) (prefix string) {
	t.Helper()
	prefix = install(t)
	share := filepath.Join(prefix, "share")
	h.env = append(h.env, "PATH="+filepath.Join(prefix, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
		"MANPATH="+filepath.Join(share, "man"), "MANWIDTH=100", "XDG_DATA_DIRS="+share+":/usr/local/share:/usr/share", "TERM=xterm", "PAGER=cat", "LANG=C.UTF-8")
	return prefix
}

// local prepares a program of the system's in a home.
func (h *home) local(program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(h.t.Context(), program, args...)
	cmd.Dir, cmd.Env = h.dir, h.env
	return cmd
}

// git finds the program under its second name, and its manual.
func TestInstall(t *testing.T) {
	t.Parallel()
	testserver.Require(t, testserver.Man)
	h := newHome(t, &testserver.Server{Domain: "localhost"}, "Carol", "carol")
	prefix := installedHome(t, h)
	program := filepath.Join(prefix, "bin", "git-remote-xmpp")
	version := run(t, h.local(program, "version"))
	for _, c := range []struct {
		args   []string
		status int
		want   string // in what it says
	}{
		{[]string{"xmpp", "version"}, 0, version.stdout},
		{[]string{"xmpp", "help"}, 0, "usage: git xmpp COMMAND\n"},
		{[]string{"xmpp"}, 2, "no command: see git xmpp help\n"},
		{[]string{"xmpp", "help", "peers"}, 0, "   or: git xmpp peers remove KEY\n"},
		{[]string{"xmpp", "serve", "--help"}, 0, "usage: git xmpp serve [--base-path DIR"},
		{[]string{"xmpp", "origin", "xmpp::bob@example.org/proj"}, 2, `unknown command "origin"`}, // never git's helper
		{[]string{"-c", "xmpp.timeout=never", "xmpp", "peers"}, 2, `xmpp.timeout: "never" is not`},
		{[]string{"help", "-m", "remote-xmpp"}, 0, "git-remote-xmpp - push to, fetch from and clone git repositories over XMPP"},
		{[]string{"help", "-m", "xmpp"}, 0, "git-remote-xmpp - push to, fetch from and clone git repositories over XMPP"},
		{[]string{"xmpp", "--help"}, 0, "git-remote-xmpp - push to, fetch from and clone git repositories over XMPP"},
		{[]string{"help", "-m", "git-xmpp-config"}, 0, "git-xmpp-config - settings of git-remote-xmpp"},
	} {
		r := run(t, h.local("git", c.args...))
		if said := r.stdout + r.stderr; r.status != c.status || !strings.Contains(said, c.want) || c.want == "" {
			t.Errorf("git %s: %v, want %d and %q", strings.Join(c.args, " "), r, c.status, c.want)
		}
	}
	for _, page := range []string{"man1/git-remote-xmpp.1", "man5/git-xmpp-config.5", "man1/git-xmpp.1"} {
		checkPage(t, h, filepath.Join(prefix, "share", "man", page))
	}
}

// checkPage has the two programs that show manuals say what they don't like.
func checkPage(t *testing.T, h *home, path string) {
	t.Helper()
	dir := filepath.Dir(filepath.Dir(path)) // .so is relative to it
	cmd := h.local("man", "--warnings", "-l", path)
	cmd.Dir = dir
	if r := run(t, cmd); r.status != 0 || r.stderr != "" || len(r.stdout) < 2000 {
		t.Errorf("man %s: %v", path, r)
	}
	testserver.Require(t, testserver.Mandoc)
	cmd = h.local("mandoc", "-T", "lint", "-W", "warning", path)
	cmd.Dir = dir
	for line := range strings.Lines(run(t, cmd).stdout) {
		// A date would be that of the build, and a link isn't there on every system.
		if !strings.Contains(line, "missing date") && !strings.Contains(line, ".so is fragile") {
			t.Errorf("mandoc: %s", line)
		}
	}
}
