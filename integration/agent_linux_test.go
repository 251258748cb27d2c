package integration

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// slowAgentPair is an agent pair over a slow server, with a large commit of Bob's.
func slowAgentPair(t *testing.T) *agentPair {
	t.Helper()
	p := newAgentPair(t, testserver.New(t, testserver.Prosody, testserver.Options{BytesPerSecond: slowBytesPerSecond}))
	randomFile(t, filepath.Join(p.served, "blob"), 8*slowBytesPerSecond)
	p.bob.commit(p.served, "large")
	return p
}

// startClone begins to clone, and returns when data flows.
func (p *agentPair) startClone(t *testing.T, name string) *started {
	t.Helper()
	clone := p.alice.start(t, p.alice.dir, "clone", "xmpp::bob@localhost/proj", name)
	await(t, "data to flow", func() bool { return incoming(filepath.Join(p.alice.dir, name)) >= flowingBytes })
	return clone
}

// The agent is killed in the middle of a clone: git ends at once, with what happened.
func TestAgentKilledInClone(t *testing.T) {
	t.Parallel()
	p := slowAgentPair(t)
	clone := p.startClone(t, "cut")
	began := time.Now()
	p.agent.kill()
	r := clone.wait(t)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("git ended after %v", took)
	}
	said := linesWith(r.stderr, ourPrefix)
	if r.status != 128 || len(said) != 1 || said[0] != "bob@localhost/proj: connection lost: git-remote-xmpp serve, whose connection was used, has ended: try again" {
		t.Errorf("clone: %v", r)
	}
	p.alice.onlyServes(t, nil)
	p.alice.git(p.clone, "ls-remote")

	p.agent = p.alice.serve(p.hers)
	h := p.startHelper(t, p.clone)
	p.agent.kill()
	if r := h.wait(t); r.status != 5 {
		t.Errorf("helper: %v", r)
	}
}

// startHelper runs the helper as git does and returns when it has the peer's advertisement; its standard input stays open.
func (p *agentPair) startHelper(t *testing.T, dir string) *started {
	t.Helper()
	s := &started{cmd: p.alice.command(dir, "git-remote-xmpp", "origin", "bob@localhost/proj"), ended: make(chan error, 1)}
	s.cmd.Env = append(s.cmd.Env, "GIT_DIR="+filepath.Join(dir, ".git"))
	s.cmd.Stderr = &s.stderr
	stdin, stdinErr := s.cmd.StdinPipe()
	stdout, stdoutErr := s.cmd.StdoutPipe()
	if err := errors.Join(stdinErr, stdoutErr, s.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close() })
	if _, err := io.WriteString(stdin, "connect git-upload-pack\n"); err != nil {
		t.Fatal(err)
	}
	_, err := io.ReadFull(stdout, make([]byte, 100))
	go func() { s.ended <- s.cmd.Wait() }()
	if err != nil {
		t.Fatalf("helper: %v: %v", err, s.wait(t))
	}
	return s
}

// The agent is told to stop in the middle of a clone: it does, and git says so.
func TestAgentStoppedInClone(t *testing.T) {
	t.Parallel()
	p := slowAgentPair(t)
	clone := p.startClone(t, "cut")
	began := time.Now()
	p.agent.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("serve took %v to stop", took)
	}
	r := clone.wait(t)
	said := linesWith(r.stderr, ourPrefix)
	if r.status != 128 || len(said) != 1 || said[0] != "bob@localhost/proj: connection lost: git-remote-xmpp serve, whose connection was used, was stopped: try again" {
		t.Errorf("clone: %v", r)
	}
	p.alice.onlyServes(t, nil)
	p.bob.onlyServes(t, p.bobs)
}

// A helper is killed in the middle of a clone, and in the middle of a push: its stream is cancelled, and the far side knows at once; the
// agent goes on, on the same connection.
func TestHelperOfAgentKilled(t *testing.T) {
	t.Parallel()
	p := slowAgentPair(t)
	p.bob.git(p.served, "config", "receive.unpackLimit", "1") // a pack that can be seen to grow
	randomFile(t, filepath.Join(p.clone, "blob"), 8*slowBytesPerSecond)
	p.alice.commit(p.clone, "large")
	for name, begin := range map[string]func() *started{
		"clone": func() *started { return p.startClone(t, "cut") },
		"push": func() *started {
			push := p.alice.start(t, p.clone, "push", "origin", "main")
			await(t, "data to flow", func() bool { return incoming(p.served) >= flowingBytes })
			return push
		},
	} {
		git := begin()
		began := time.Now()
		killed := 0
		for pid, line := range p.alice.processes() {
			if strings.Contains(line, "git-remote-xmpp") && pid != p.agent.cmd.Process.Pid && !strings.HasPrefix(line, "git ") && !strings.Contains(line, "/git ") {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil { // a helper of ours
					t.Fatal(err)
				}
				killed++
			}
		}
		if killed != 1 {
			t.Fatalf("%s: %d helpers: %v", name, killed, p.alice.processes())
		}
		if r := git.wait(t); r.status == 0 {
			t.Errorf("%s: %v", name, r)
		}
		p.bob.onlyServes(t, p.bobs)
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("%s: the far side gave up after %v", name, took)
		} else {
			t.Logf("%s: the far side gave up after %v", name, took)
		}
		if left := remains(t, p.served); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
		p.alice.onlyServes(t, p.agent)
	}
	p.expect(t, 0, 0, func() { p.alice.git(p.clone, "ls-remote") })
}

// What goes wrong at the peer goes wrong in the same way through the agent: the same exit status, the same words.
func TestAgentFailsAsAlone(t *testing.T) {
	p := newAgentPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	other := p.bob.newRepo("other")
	p.bobs.stop()
	p.bobs = p.bob.serve(p.bob.dir, p.served, other)
	key := p.alice.key()
	access := func(right string, repos ...string) func() {
		return func() {
			for _, r := range repos {
				p.bob.xmpp(p.bob.dir, "peers", "set", key, "--access", right, r)
			}
		}
	}
	for _, c := range []struct {
		name    string
		prepare func()
		status  int
		url     string
		service string
		env     string
		says    string
	}{
		{name: "no such repository", status: 4, url: "bob@localhost/nothing", says: "no such repository"},
		{name: "no access", status: 4, url: "bob@localhost/other", says: "no such repository"},
		{name: "no key", status: 1, url: "carol@localhost/proj", says: "no key known for carol@localhost"},
		{name: "ambiguous", prepare: access("read", p.served, other), status: 1, url: "bob@localhost", says: "several repositories, name one: proj, other"},
		{name: "read-only", status: 1, url: "bob@localhost/proj", service: "git-receive-pack", says: "read-only access, push refused"},
		{name: "timeout", status: 5, url: "bob@localhost/proj", env: "GIT_XMPP_TIMEOUT=1", says: "no progress for 1s: the transfer was cancelled on both sides"},
		{name: "timeout there", prepare: func() {
			p.bobs.stop()
			p.bob.env = append(p.bob.env, "GIT_XMPP_TIMEOUT=1")
			p.bobs = p.bob.serve(p.served)
		}, status: 5, url: "bob@localhost/proj", says: "no progress for too long"},
		{name: "nobody there", prepare: func() { p.bobs.stop() }, status: 4, url: "bob@localhost/proj", says: "is git-remote-xmpp serve running there?"},
		{name: "killed", prepare: func() {
			p.bobs = p.bob.serve(p.served)
			p.alice.git(p.clone, "ls-remote") // there is a connection
			p.bobs.kill()
			pause := p.alice.command(p.clone, "git", "-c", "xmpp.agent=never", "ls-remote")
			await(t, "the server to notice", func() bool { return strings.Contains(run(t, p.again(pause)).stderr, "serve running there?") })
		}, status: 4, url: "bob@localhost/proj", says: "is git-remote-xmpp serve running there?"},
		{name: "another key", prepare: func() {
			if err := os.Remove(filepath.Join(p.bob.dataDir(), "identity")); err != nil {
				t.Fatal(err)
			}
			p.bobs = p.bob.serve(p.served)
		}, status: 1, url: "bob@localhost/proj", says: "WARNING: THE KEY OF bob@localhost/git-"},
		{name: "removed", prepare: func() { p.alice.xmpp(p.alice.dir, "peers", "remove", p.firstPeer(t)) },
			status: 1, url: "bob@localhost/proj", says: "no key known for bob@localhost"},
	} {
		if c.prepare != nil {
			c.prepare()
		}
		var results []result
		for _, use := range []string{"auto", "never"} {
			b := badInput{home: p.alice, dir: p.clone, url: c.url, push: c.service == "git-receive-pack", env: []string{
				c.env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=xmpp.agent", "GIT_CONFIG_VALUE_0=" + use}}
			r := b.direct(t)
			if r.status != c.status || !strings.Contains(r.stderr+r.stdout, c.says) {
				t.Errorf("%s, agent=%s: %v; want status %d and %q", c.name, use, r, c.status, c.says)
			}
			results = append(results, r)
		}
		if results[0] != results[1] {
			t.Errorf("%s: through the agent: %v\nalone: %v", c.name, results[0], results[1])
		}
	}
	if agents, _ := p.connections(t); agents == 0 {
		t.Error("the agent wasn't used")
	}
}

// again is a command to be run once more.
func (p *agentPair) again(cmd *exec.Cmd) *exec.Cmd {
	return p.alice.command(cmd.Dir, "git", cmd.Args[1:]...)
}

// firstPeer is the fingerprint of the one peer that Alice knows.
func (p *agentPair) firstPeer(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(p.alice.xmpp(p.alice.dir, "peers")) {
		if key, _, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(key, "SHA256:") {
			return key
		}
	}
	t.Fatal("Alice knows nobody")
	return ""
}

// An agent that hangs holds up a push for some seconds; then the helper logs in itself.
func TestAgentHangs(t *testing.T) {
	t.Parallel() // it waits
	p := newAgentPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	pushed := p.alice.commit(p.clone, "pushed")
	if err := p.agent.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.expect(t, 0, 1, func() { p.alice.git(p.clone, "push", "--quiet", "origin", "main") })
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if got := p.bob.git(p.served, "rev-parse", "main"); got != pushed {
		t.Errorf("main is %s, want %s", got, pushed)
	}
	if err := p.agent.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	_, before := p.connections(t)
	p.alice.git(p.clone, "ls-remote")
	if agents, logins := p.connections(t); agents != 1 || logins != before {
		t.Errorf("when it goes on, %d connections by the agent, and %d logins", agents, logins-before)
	}
}

// What goes through the agent takes little of its memory, however much it is.
func TestAgentMemory(t *testing.T) {
	const files = 6
	p := newAgentPair(t, testserver.New(t, testserver.Ejabberd, testserver.Options{}))
	for _, h := range []*home{p.bob, p.alice} {
		h.git(h.dir, "config", "--global", "core.bigFileThreshold", "1m")
		h.git(h.dir, "config", "--global", "core.compression", "0")
	}
	for n := range files {
		randomFile(t, filepath.Join(p.clone, fmt.Sprint(n)), memoryFileBytes)
	}
	pushed := p.alice.commit(p.clone, "large")
	p.expect(t, 1, 0, func() {
		p.alice.git(p.clone, "push", "--quiet", "origin", "main")
		p.alice.git(p.alice.dir, "clone", "--quiet", "--bare", "xmpp::bob@localhost/proj", "again")
	})
	if got := p.alice.git(filepath.Join(p.alice.dir, "again"), "rev-parse", "HEAD"); got != pushed {
		t.Errorf("cloned %s, want %s", got, pushed)
	}
	peak := peakOf(t, p.agent.cmd.Process.Pid)
	t.Logf("the agent took %.1f MiB", mib(peak))
	if peak >= maxServeBytes {
		t.Errorf("at most %.0f MiB are allowed", mib(maxServeBytes))
	}
}
