//go:build unix

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// history is all that was shown on the screen, which may be more than fits.
func (s *screen) history() string {
	s.t.Helper()
	return strings.TrimRight(s.tmux("capture-pane", "-p", "-S", "-"), "\n ")
}

// mustShow checks that the screen shows just lines that match, one after the other.
func (s *screen) mustShow(lines ...string) {
	s.t.Helper()
	if text := s.history(); !regexp.MustCompile("^" + strings.Join(lines, "\n") + "$").MatchString(text) {
		s.t.Errorf("the screen shows\n%s\nwant\n%s", text, strings.Join(lines, "\n"))
	}
}

// A push that waits for its turn says so in one line, which is gone without a trace when it goes on; one with -q says nothing.
func TestWaitingOnTerminal(t *testing.T) {
	t.Parallel()
	w := newLiveScene(t)
	hold := filepath.Join(w.bob.dir, "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	hook(t, w.served, "pre-receive", "#!/bin/sh\ngrep -q slow || exit 0\necho held\nwhile [ -e "+hold+" ]; do sleep 0.05; done\n")
	slow := w.alice.command(w.clone, "git", "push", "origin", "HEAD:slow")
	lines := startLines(t, slow)
	awaitLine(t, lines, "remote: held")
	quiet := w.alice.screen(t, w.clone, 80, 24, "git push -q origin HEAD:refs/heads/third")
	await(t, "the quiet push to wait", func() bool { return len(w.bob.status().Waiting) == 1 })
	s := w.alice.screen(t, w.clone, 80, 24, "git push --no-progress origin HEAD:refs/heads/second") // git's next line is shorter than ours
	s.await(`^waiting: 2 pushes before this one \([2-9]s\)$`)
	quiet.mustShow("")
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	for _, one := range []*screen{s, quiet} {
		if status := one.ended(); status != "0" {
			t.Errorf("exit status %s", status)
		}
	}
	s.mustShow(`To xmpp::bob@localhost/proj`, ` \* \[new branch\]      HEAD -> second`)
	quiet.mustShow("")
	for range lines { // to its end
	}
	if err := slow.Wait(); err != nil {
		t.Error(err)
	}
}

// git's own meters come through on a terminal, whole.
func TestMetersOnTerminal(t *testing.T) {
	t.Parallel()
	w := newLiveScene(t)
	randomFile(t, filepath.Join(w.served, "noise"), 1<<20)
	w.bob.commit(w.served, "noise")
	const counting = `remote: Enumerating objects: \d+, done\.\nremote: Counting objects: 100% \((\d+)/\d+\), done\.\nremote: Compressing objects: 100% .*, done\.`
	const total = `remote: Total \d+ \(delta \d+\), reused .*`
	s := w.alice.screen(t, w.alice.dir, 100, 24, "git clone xmpp::bob@localhost/proj second")
	status := s.ended()
	s.mustShow(`Cloning into 'second'\.\.\.`, counting, total, `Receiving objects: 100% \(\d+/\d+\), 1\.00 MiB( \| [\d.]+ [MK]iB/s)?, done\.`)
	randomFile(t, filepath.Join(w.clone, "other"), 1<<20)
	w.alice.commit(w.clone, "other")
	push := w.alice.screen(t, w.clone, 100, 24, "git push origin HEAD:refs/heads/other")
	if pushed := push.ended(); status != "0" || pushed != "0" {
		t.Errorf("clone: exit status %s, push: %s", status, pushed)
	}
	push.mustShow(`Enumerating objects: \d+, done\.`, `Counting objects: 100% \(\d+/\d+\), done\.`, `(Delta compression using .*\n)?Compressing objects: 100% .*, done\.`,
		`Writing objects: 100% \(\d+/\d+\), 1\.00 MiB \| [\d.]+ [MK]iB/s, done\.`, `Total \d+ .*`, `To xmpp::bob@localhost/proj`, ` \* \[new branch\]      HEAD -> other`)
}

// A peer that doesn't answer is waited for in one line.
func TestSilentPeerOnTerminal(t *testing.T) {
	t.Parallel()
	w := newLiveScene(t)
	serve := w.daemon.cmd.Process
	if err := serve.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s := w.alice.screen(t, w.clone, 80, 24, "git ls-remote origin HEAD")
	s.await(`^waiting for bob@localhost/proj \(\d+s\)$`)
	if err := serve.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if status := s.ended(); status != "0" {
		t.Errorf("exit status %s", status)
	}
	s.mustShow(`[0-9a-f]{40} +HEAD`)
}

// Our server that goes away in the middle is waited for, and so is a peer; who gives up finds no trace of that.
func TestGoneOnTerminal(t *testing.T) {
	t.Parallel()
	w := newLiveScene(t)
	hold := filepath.Join(w.bob.dir, "hold")
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	hook(t, w.served, "pre-receive", "#!/bin/sh\necho held\nwhile [ -e "+hold+" ]; do sleep 0.05; done\n")
	s := w.alice.screen(t, w.clone, 80, 24, "git push origin HEAD:refs/heads/other")
	s.await(`^remote: held`)
	if err := syscall.Kill(w.server.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.await(`^waiting: our xmpp server is gone, and is tried again \(\d+s\)$`)
	if err := w.server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the line to go", func() bool { return !strings.Contains(s.text(), "waiting") })
	await(t, "serve to be back", func() bool { return w.bob.status().Online })
	if err := w.daemon.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.await(`^waiting: bob@localhost went offline, and may come back \(see xmpp\.timeout\) \(\d+s\)$`)
	s.press("C-c")
	s.ended()
	await(t, "a line of ours that says no more than that", func() bool { return strings.HasSuffix(s.history(), "git-remote-xmpp: interrupted") })
	if text := s.history(); strings.Contains(text, "offline") {
		t.Errorf("there is something left:\n%s", text)
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
}

// What goes slowly through the server without git's meters says in one line how long it takes, that is updated, and gone at the end.
func TestInbandOnTerminal(t *testing.T) {
	t.Parallel()
	w := newLiveScene(t)
	w.daemon.stop()
	w.bob.git(w.bob.dir, "config", "--global", "xmpp.inbandLimit", "2000000")
	randomFile(t, filepath.Join(w.served, "noise"), 12_000_000)
	w.bob.commit(w.served, "noise")
	w.daemon = w.bob.serve(w.served)
	s := w.alice.screen(t, w.alice.dir, 80, 24, "git clone --no-progress xmpp::bob@localhost/proj second")
	const line = `^about 12 MB go through the xmpp server, for \d+ s more at [\d.]+ [Mk]B/s`
	first := regexp.MustCompile("(?m)" + line + ".*").FindString(s.await(line))
	await(t, "another line than "+first, func() bool {
		next := regexp.MustCompile("(?m)" + line + ".*").FindString(s.text())
		return next != "" && next != first
	})
	if status := s.ended(); status != "0" {
		t.Errorf("exit status %s", status)
	}
	s.mustShow(`Cloning into 'second'\.\.\.`)
}
