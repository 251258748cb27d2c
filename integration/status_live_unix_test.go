//go:build unix

package integration

import (
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A liveScene is a serve of Bob's, from and to which Alice's git goes so slowly that one can look at it.
type liveScene struct {
	server        *testserver.Server
	bob, alice    *home
	served, clone string
	daemon        *daemon
}

func newLiveScene(t *testing.T) *liveScene {
	t.Helper()
	testserver.Require(t, testserver.Tmux)
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	w := &liveScene{server: s, bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice")}
	w.bob.git(w.bob.dir, "config", "--global", "xmpp.maxPushes", "1")
	w.served, w.clone = w.bob.newRepo("proj"), filepath.Join(w.alice.dir, "clone")
	w.daemon = w.bob.serve(w.served)
	w.alice.git(w.alice.dir, "clone", "--quiet", w.bob.xmpp(w.served, "invite", "--label", "Alice's laptop"), w.clone)
	return w
}

// start starts a git of Alice's that is ended with all of its helpers when stop is called.
func (w *liveScene) start(t *testing.T, dir string, args ...string) (stop func()) {
	t.Helper()
	cmd := w.alice.command(dir, "git", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // ours
			_ = cmd.Wait()
		}
	}
	t.Cleanup(stop)
	return stop
}

// limits are xmpp.inbandLimit of who sends.
const pushLimit, cloneLimit, liveBytes = "200000", "100000", 3 << 20

// The live view shows who is there and what runs and waits while that changes, on terminals of any size, and that serve ends and is back.
func TestStatusLive(t *testing.T) {
	t.Parallel()
	w := newLiveScene(t)
	s := w.bob.screen(t, w.bob.dir, 100, 30, "git-remote-xmpp status")
	s.await(`^bob@localhost  ● online · repositories: 1 · served for \d+s$`, `^running  pushes 0 of 1, fetches 0 of 8$`, `^q: quit$`)

	w.bob.git(w.bob.dir, "config", "--global", "xmpp.inbandLimit", cloneLimit)
	randomFile(t, filepath.Join(w.served, "noise"), liveBytes)
	w.bob.commit(w.served, "noise")
	w.daemon.stop()
	s.await(`^✗ serve has ended: waiting for it to be started again · \d+s$`)
	w.daemon = w.bob.serve(w.served)
	s.await(`^bob@localhost  ● online`)

	randomFile(t, filepath.Join(w.clone, "other"), liveBytes)
	w.alice.commit(w.clone, "other")
	push := w.start(t, w.clone, "-c", "xmpp.inbandLimit="+pushLimit, "push", "origin", "HEAD:refs/heads/other")
	s.await(`^← push proj  Alice's laptop +[\d.]+ KiB `)
	waits := w.start(t, w.clone, "push", "origin", "HEAD:refs/heads/third")
	clone := w.start(t, w.alice.dir, "clone", "xmpp::bob@localhost/proj", "second")
	const laptop = `  Alice's laptop +`
	s.await(`^running  pushes 1 of 1, fetches 1 of 8$`, `^● Alice's laptop  alice@localhost  in-band · streams: 1 · incoming \d+s · by our settings$`,
		`^← push proj`+laptop+`[\d.]+ [KM]iB  \d+\.\d KiB/s  \d+s$`, `^→ fetch proj`+laptop+`█+░+ +[1-9]\d*%  [\d.]+ [KM]iB of 3\.0 MiB  \d+\.\d KiB/s  \d+s$`,
		`^waiting\n← push proj`+laptop+`before it: 1 · \d+s$`)
	keepPicture(t, s)

	s.tmux("resize-window", "-x", "40", "-y", "12")
	s.await(`^bob@localhost  ● online · repo.*…$`, `^    in-band · streams: 1 · incoming \d+s?.*…$`, `^q: quit · up, down: lines 1 to 10 of \d\d$`)
	s.press("Down", "Down")
	s.await(`^q: quit · up, down: lines 3 to 12 of \d\d$`)
	s.press("End")
	s.await(`^← push proj  Alice's laptop$\n    before it: 1 · \d+s$\nq: quit`)
	s.tmux("resize-window", "-x", "100", "-y", "30")
	for _, stop := range []func(){waits, clone, push} {
		stop()
	}
	if text := s.await(`^running  pushes 0 of 1, fetches 0 of 8$`, `^q: quit$`); strings.Contains(text, "waiting") {
		t.Errorf("there is something left:\n%s", text)
	}
	s.press("q")
	if status := s.ended(); status != "0" || strings.Contains(s.text(), "online") {
		t.Errorf("exit status %s, and the screen shows\n%s", status, s.text())
	}
}

// Who can't have a live view, or wants none, has lines; without colours where none are wanted.
func TestStatusOnTerminals(t *testing.T) {
	t.Parallel()
	w := newLiveScene(t)
	const first = `^account +bob@localhost/git-[0-9a-f]+ +online$`
	for _, command := range []string{"git-remote-xmpp status --once", "TERM=dumb git-remote-xmpp status", "git-remote-xmpp status </dev/null"} {
		s := w.bob.screen(t, w.bob.dir, 100, 30, command)
		s.await(first)
		if status := s.ended(); status != "0" {
			t.Errorf("%s: exit status %s", command, status)
		}
	}
	colours := regexp.MustCompile(`\x1b\[[\d;]*3\d`)
	for command, want := range map[string]bool{"git-remote-xmpp status": true, "NO_COLOR=1 git-remote-xmpp status": false} {
		s := w.bob.screen(t, w.bob.dir, 100, 30, command)
		s.await(`● online`)
		if got := s.tmux("capture-pane", "-p", "-e"); colours.MatchString(got) != want {
			t.Errorf("%s: colours in %q", command, got)
		}
		s.press("C-c")
		if status := s.ended(); status != "0" {
			t.Errorf("%s: exit status %s", command, status)
		}
	}
	s := w.bob.screen(t, w.bob.dir, 100, 30, "LC_ALL=C git-remote-xmpp status")
	s.await(`^bob@localhost  \* online - repositories: 1`)
}
