//go:build unix

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A screen is a terminal with one command in it: tmux's, which shows what a person would see.
type screen struct {
	t      testing.TB
	socket string
	status string // the file that has the exit status at the end
}

// screen starts a shell's command in a folder on a terminal of its own.
func (h *home) screen(t testing.TB, dir string, width, height int, command string) *screen {
	t.Helper()
	testserver.Require(t, testserver.Tmux)
	short, err := os.MkdirTemp("", "tmux-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	conf := filepath.Join(short, "conf")
	if err := os.WriteFile(conf, []byte("set -g status off\nset -g history-limit 1000\nset -g escape-time 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, socket: filepath.Join(short, "s"), status: filepath.Join(short, "status")}
	command = "trap : INT; " + command + "; echo $? >" + s.status + ".new; mv " + s.status + ".new " + s.status + "; exec sleep 600" // helpers of a git that has gone may have something to say
	cmd := exec.CommandContext(t.Context(), "tmux", "-u", "-S", s.socket, "-f", conf, "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), command)
	cmd.Dir, cmd.Env = dir, h.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", s.socket, "kill-server").Run() }) // ours; it may have ended
	return s
}

// tmux has the terminal do something, and returns what tmux says.
func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "tmux", append([]string{"-u", "-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

// text is what the screen shows.
func (s *screen) text() string {
	s.t.Helper()
	return strings.TrimRight(s.tmux("capture-pane", "-p"), "\n ")
}

// press types keys, by the names that tmux has for them.
func (s *screen) press(keys ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, keys...)...)
}

// await waits until the screen shows all of some patterns at once, and returns what it shows.
func (s *screen) await(patterns ...string) (text string) {
	s.t.Helper()
	var compiled []*regexp.Regexp
	for _, p := range patterns {
		compiled = append(compiled, regexp.MustCompile("(?m)"+p))
	}
	defer func() {
		if s.t.Failed() {
			s.t.Logf("the screen shows\n%s", text)
		}
	}()
	await(s.t, strings.Join(patterns, " and "), func() bool {
		text = s.text()
		for _, p := range compiled {
			if !p.MatchString(text) {
				return false
			}
		}
		return true
	})
	return text
}

// ended waits for the end of the command and returns its exit status, as a shell has it.
func (s *screen) ended() string {
	s.t.Helper()
	defer func() {
		if s.t.Failed() {
			s.t.Logf("the screen shows\n%s", s.text())
		}
	}()
	awaitFile(s.t, s.status)
	text, err := os.ReadFile(s.status)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
