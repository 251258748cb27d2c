package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A serveStatus is what status --json says, as a script reads it.
type serveStatus struct {
	Serving, Online   bool
	Account, JID, Key string
	Since             time.Time
	Limits            struct{ MaxPushes, MaxFetches, MaxWaiting, MaxWaitingPerClient int }
	Connections       []struct {
		JID, Key, Label, Direction, Path, WhyInBand, Address string
		Since                                                time.Time
		Streams                                              int
	}
	Running, Waiting     []serveRun
	Repositories         []struct{ Name, UUID string }
	RepositoriesComplete bool
}

type serveRun struct {
	Client, Key, Label, JID string
	Repository              struct{ Name, UUID string }
	Side, Service           string
	Since                   time.Time
	Before                  int
	Received, Sent          uint64
}

// status asks the home's serve, from a folder that is no repository.
func (h *home) status() (s serveStatus) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.xmpp(h.dir, "status", "--json")), &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// A heldServe is Bob's, which takes one push at a time and holds pushes and fetches in the middle.
type heldServe struct {
	bob, alice           *home
	served, clone, other string // other is another clone of Alice's
	hold                 string // pushes of slow and fetches last while it is there
	uuid                 string // of the served repository
}

func newHeldServe(t *testing.T) *heldServe {
	t.Helper()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	w := &heldServe{bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice")}
	w.served, w.hold = w.bob.newRepo("proj"), filepath.Join(w.bob.dir, "hold")
	w.bob.git(w.bob.dir, "config", "--global", "xmpp.maxPushes", "1")
	packer := filepath.Join(w.bob.dir, "packer")
	writeProgram(t, packer, "#!/bin/sh\necho packing >&2\nwhile [ -e "+w.hold+" ]; do sleep 0.05; done\nexec \"$@\"\n")
	w.bob.git(w.bob.dir, "config", "--global", "uploadpack.packObjectsHook", packer)
	hook(t, w.served, "pre-receive", "#!/bin/sh\ngrep -q slow || exit 0\necho held\nwhile [ -e "+w.hold+" ]; do sleep 0.05; done\n")
	w.bob.serve(w.served)
	w.alice.git(w.alice.dir, "clone", "--quiet", w.bob.xmpp(w.served, "invite", "--label", "Alice's laptop"), "clone")
	w.alice.git(w.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", "other")
	w.clone, w.other = filepath.Join(w.alice.dir, "clone"), filepath.Join(w.alice.dir, "other")
	w.uuid = w.bob.git(w.served, "config", "xmpp.uuid")
	return w
}

// start starts git in one of Alice's clones and waits until it says something.
func (w *heldServe) start(t *testing.T, says, dir string, args ...string) (*exec.Cmd, <-chan string) {
	t.Helper()
	cmd := w.alice.command(dir, "git", args...)
	lines := startLines(t, cmd)
	awaitLine(t, lines, says)
	return cmd, lines
}

// find is the only run that matches.
func (w *heldServe) find(t *testing.T, runs []serveRun, clone, side string) (r serveRun) {
	t.Helper()
	client, found := w.alice.git(clone, "config", "xmpp.uuid"), 0
	for _, other := range runs {
		if other.Client == client && other.Side == side {
			r = other
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d runs of %s %s: %+v", found, client, side, runs)
	}
	return r
}

// status shows what runs and what waits at which place, with whom, and nothing of it afterwards.
func TestStatusOfRuns(t *testing.T) {
	w := newHeldServe(t)
	randomFile(t, filepath.Join(w.clone, "blob"), 100_000)
	w.alice.commit(w.clone, "slow")
	w.alice.git(w.clone, "branch", "slow")
	w.bob.git(w.served, "commit", "--quiet", "--allow-empty", "--message", "to be fetched")
	if err := os.WriteFile(w.hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the clones to be gone", func() bool { return len(w.bob.status().Connections) == 0 })
	began := time.Now()
	slow, slowLines := w.start(t, "remote: held", w.clone, "push", "origin", "slow")
	second, secondLines := w.start(t, "waiting: 1 push before this one", w.clone, "push", "origin", "HEAD:second")
	third, thirdLines := w.start(t, "waiting: 2 pushes before this one", w.other, "push", "origin", "HEAD:third")
	fetch, fetchLines := w.start(t, "remote: packing", w.other, "fetch", "--progress", "origin")

	s := w.bob.status()
	if len(s.Running) != 2 || len(s.Waiting) != 2 {
		t.Fatalf("status: %+v", s)
	}
	key := w.alice.key()
	for _, r := range append(s.Running, s.Waiting...) {
		if r.Key != key || r.Label != "Alice's laptop" || !strings.HasPrefix(r.JID, "alice@localhost/git-run-") ||
			r.Repository.Name != "proj" || r.Repository.UUID != w.uuid || r.Since.Before(began) || r.Since.After(time.Now()) {
			t.Errorf("run: %+v", r)
		}
	}
	if r := w.find(t, s.Running, w.clone, "receiving"); r.Before != 0 || r.Service != "receive-pack" || r.Received < 100_000 || r.Sent == 0 {
		t.Errorf("the push that runs: %+v", r)
	}
	if r := w.find(t, s.Running, w.other, "fetching"); r.Before != 0 || r.Service != "upload-pack" || r.Received == 0 || r.Sent == 0 {
		t.Errorf("the fetch that runs: %+v", r)
	}
	if r := w.find(t, s.Waiting, w.clone, "receiving"); r.Before != 1 {
		t.Errorf("the push that waits first: %+v", r)
	}
	if r := w.find(t, s.Waiting, w.other, "receiving"); r.Before != 2 {
		t.Errorf("the push that waits second: %+v", r)
	}
	if len(s.Connections) != 4 {
		t.Errorf("connections: %+v", s.Connections)
	}
	for _, c := range s.Connections {
		if c.Key != key || c.Label != "Alice's laptop" || c.Direction != "incoming" || c.Path != "in-band" || c.Streams != 1 || c.Since.Before(began) ||
			!strings.HasPrefix(c.JID, "alice@localhost/git-run-") {
			t.Errorf("connection: %+v", c)
		}
	}
	w.checkText(t)

	if err := os.Remove(w.hold); err != nil {
		t.Fatal(err)
	}
	for cmd, lines := range map[*exec.Cmd]<-chan string{slow: slowLines, second: secondLines, third: thirdLines, fetch: fetchLines} {
		for range lines { // to its end
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", cmd.Args, err)
		}
	}
	await(t, "nothing to run", func() bool {
		s := w.bob.status()
		return len(s.Running)+len(s.Waiting)+len(s.Connections) == 0
	})
}

// checkText checks what people see of the same.
func (w *heldServe) checkText(t *testing.T) {
	t.Helper()
	text := w.bob.xmpp(w.served, "status")
	who := `Alice's laptop +alice@localhost/git-run-[0-9a-f]+ +`
	for _, want := range []string{
		`^account +bob@localhost/git-[0-9a-f]+ +online\n`, `\npushes +1 running of at most 1 +2 waiting\n`, `\nfetches +1 running of at most 8 +0 waiting\n`,
		`\nconnection +` + who + `in-band \(by our settings\) +incoming for \d+s, streams: 1\n`, `\nreceiving +` + who + `proj +runs for \d+s: [\d.]+ KiB in, \d+ B out\n`,
		`\nfetching +` + who + `proj +runs for `, `\nreceiving +` + who + `proj +waits for \d+s, before it: 1\n`, `waits for \d+s, before it: 2$`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("status says\n%s\nwithout %q", text, want)
		}
	}
	if n := strings.Count(text, "\n") + 1; n != 12 {
		t.Errorf("status says %d lines:\n%s", n, text)
	}
}

// What a serve is, with nothing to do; also when its server is gone.
func TestStatusOfServe(t *testing.T) {
	server := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newHome(t, server, "Bob", "bob")
	first, second := bob.newRepo("first"), bob.newRepo("second", "--bare")
	bob.git(bob.dir, "config", "--global", "xmpp.maxFetches", "3")
	d := bob.serve(bob.dir, first, second)
	said := bob.xmpp(t.TempDir(), "status", "--json")
	var s serveStatus
	if err := json.Unmarshal([]byte(said), &s); err != nil {
		t.Fatal(err)
	}
	if !s.Serving || !s.Online || s.Account != "bob@localhost" || s.JID != d.jid || s.Key != bob.key() || time.Since(s.Since) > deadline {
		t.Errorf("status: %+v", s)
	}
	if s.Limits.MaxPushes != 4 || s.Limits.MaxFetches != 3 || s.Limits.MaxWaiting < 1 || s.Limits.MaxWaitingPerClient < 1 {
		t.Errorf("limits: %+v", s.Limits)
	}
	if len(s.Repositories) != 2 || s.Repositories[0].Name != "first" || s.Repositories[1].UUID != bob.git(second, "config", "xmpp.uuid") || !s.RepositoriesComplete {
		t.Errorf("repositories: %+v", s.Repositories)
	}
	for _, list := range []string{`"connections": [],`, `"running": [],`, `"waiting": [],`} {
		if !strings.Contains(said, list) {
			t.Errorf("said %s without %s", said, list)
		}
	}
	for _, secret := range append(keySecrets(t, bob), server.Accounts["bob"]) {
		if strings.Contains(said, secret) {
			t.Errorf("there is a secret in %s", said)
		}
	}
	bob.env = append(bob.env, "GIT_XMPP_ACCOUNT=somebody@example.org") // has no effect: this home's serve is asked
	if got := bob.status(); got.JID != d.jid {
		t.Errorf("status: %+v", got)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	await(t, "serve to be offline", func() bool { return !bob.status().Online })
	mustSay(t, bob.xmpp(bob.dir, "status"), d.jid+"  offline\n")
}

// The connections that serve makes for git in its home are there too, on both sides.
func TestStatusOfAgent(t *testing.T) {
	p := newAgentPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	p.alice.git(p.clone, "ls-remote")
	for h, want := range map[*home]struct{ key, jid, direction string }{
		p.alice: {p.bob.key(), p.bobs.jid, "outgoing"},
		p.bob:   {p.alice.key(), p.agent.jid, "incoming"},
	} {
		await(t, "the stream to end", func() bool {
			s := h.status()
			return len(s.Connections) == 1 && s.Connections[0].Streams == 0
		})
		if c := h.status().Connections[0]; c.Key != want.key || c.JID != want.jid || c.Direction != want.direction || c.Path != "in-band" || time.Since(c.Since) > deadline {
			t.Errorf("%s's connection: %+v, want %+v", h.name, c, want)
		}
	}
}

// Without a serve that answers it says so, with exit status 1, and leaves nothing behind.
func TestStatusWithoutServe(t *testing.T) {
	server := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newHome(t, server, "Bob", "bob")
	none := func() {
		t.Helper()
		const line = "git-remote-xmpp: no serve of this home answers: "
		if r := bob.try(bob.dir, "git-remote-xmpp", "status"); r.status != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, line) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("status: %v", r)
		}
		if r := bob.try(bob.dir, "git-remote-xmpp", "status", "--json"); r.status != 1 || r.stdout != "{\"serving\": false}\n" || !strings.HasPrefix(r.stderr, line) {
			t.Errorf("status --json: %v", r)
		}
	}
	none()
	for _, made := range []string{bob.dataDir(), filepath.Join(bob.dir, "run")} {
		if _, err := os.Stat(made); err == nil {
			t.Errorf("status made %s", made)
		}
	}
	if r := bob.try(bob.dir, "git-remote-xmpp", "status", "all"); r.status != 2 {
		t.Errorf("status all: %v", r)
	}
	served := bob.newRepo("proj")
	bob.serve(served).kill() // leaves its socket
	none()
	bob.serve(served).stop()
	none()
	bob.git(bob.dir, "config", "--global", "xmpp.agent", "never")
	bob.serve(served)
	none()
}
