package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// An agentPair is Bob, who serves a repository, and Alice, who has a clone of it and a serve of her own: the agent.
type agentPair struct {
	server        *testserver.Server
	bob, alice    *home
	served, clone string
	hers          string // Alice's own repository
	bobs, agent   *daemon
	trace         string // of Bob's serve
}

func newAgentPair(t *testing.T, s *testserver.Server) *agentPair {
	t.Helper()
	p := &agentPair{server: s, bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice")}
	p.trace = filepath.Join(t.TempDir(), "trace")
	p.bob.env = append(p.bob.env, "GIT_XMPP_TRACE="+p.trace)
	p.served, p.hers, p.clone = p.bob.newRepo("proj"), p.alice.newRepo("hers"), filepath.Join(p.alice.dir, "clone")
	p.bobs = p.bob.serve(p.served)
	p.alice.git(p.alice.dir, "clone", "--quiet", p.bob.xmpp(p.served, "invite"), p.clone)
	p.agent = p.alice.serve(p.hers)
	return p
}

var acceptedLine = regexp.MustCompile(`msg="connection accepted" peer=\S+/(git-\S+)`)

// connections counts those that Bob has accepted until now: the agent's, and those of helpers that logged in themselves.
func (p *agentPair) connections(t testing.TB) (agents, logins int) {
	t.Helper()
	trace, err := os.ReadFile(p.trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range acceptedLine.FindAllStringSubmatch(string(trace), -1) {
		if strings.HasPrefix(m[1], "git-run-") {
			logins++
		} else {
			agents++
		}
	}
	return agents, logins
}

// expect runs commands that must make so many connections of each kind.
func (p *agentPair) expect(t *testing.T, agents, logins int, do func()) {
	t.Helper()
	agentsBefore, loginsBefore := p.connections(t)
	do()
	agentsNow, loginsNow := p.connections(t)
	if agentsNow -= agentsBefore; agentsNow != agents {
		t.Errorf("%d connections by the agent, want %d", agentsNow, agents)
	}
	if loginsNow -= loginsBefore; loginsNow != logins {
		t.Errorf("%d helpers logged in, want %d", loginsNow, logins)
	}
}

// Many runs of git, and the many small fetches of a partial clone, log in once less than they are: never.
func TestAgentSavesLogins(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newAgentPair(t, s)
		p.expect(t, 1, 0, func() {
			for range 20 {
				p.alice.git(p.clone, "ls-remote")
			}
		})
		p.expect(t, 0, 0, func() {
			pushed := p.alice.commit(p.clone, "pushed")
			p.alice.git(p.clone, "push", "--quiet", "origin", "main")
			if got := p.bob.git(p.served, "rev-parse", "main"); got != pushed {
				t.Errorf("main is %s, want %s", got, pushed)
			}
			made := p.bob.commit(p.served, "made")
			p.alice.git(p.clone, "fetch", "--quiet")
			if got := p.alice.git(p.clone, "rev-parse", "origin/main"); got != made {
				t.Errorf("fetched %s, want %s", got, made)
			}
			again := filepath.Join(p.alice.dir, "again")
			p.alice.git(p.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", again)
			p.alice.git(again, "fsck", "--strict")
		})
		for n := range lazyBlobs {
			if err := os.WriteFile(filepath.Join(p.served, fmt.Sprint(n)), []byte(fmt.Sprintf("%d\n", n)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p.bob.git(p.served, "config", "uploadpack.allowFilter", "true")
		p.bob.commit(p.served, "blobs")
		var with, without time.Duration
		p.expect(t, 0, 0, func() { with = p.lazyFetches(t) })
		p.expect(t, 0, lazyBlobs+1, func() { without = p.lazyFetches(t, "-c", "xmpp.agent=never") })
		t.Logf("%d blobs in %v through the agent, in %v with a login each: %.2f of the time", lazyBlobs,
			with.Round(time.Millisecond), without.Round(time.Millisecond), with.Seconds()/without.Seconds())
	})
}

// lazyBlobs is how many blobs are fetched one after the other.
const lazyBlobs = 20

// lazyFetches makes a clone without blobs, has git fetch one at a time, and tells how long these took.
func (p *agentPair) lazyFetches(t *testing.T, options ...string) time.Duration {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "partial")
	p.alice.git(p.alice.dir, append(options, "clone", "--quiet", "--no-checkout", "--filter=blob:none", "xmpp::bob@localhost/proj", dir)...)
	began := time.Now()
	for n := range lazyBlobs {
		if got := p.alice.git(dir, append(options, "cat-file", "-p", fmt.Sprintf("origin/main:%d", n))...); got != fmt.Sprint(n) {
			t.Errorf("blob %d is %q", n, got)
		}
	}
	return time.Since(began)
}

// So do objects of Git LFS.
func TestAgentCarriesLFS(t *testing.T) {
	lfs := newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "--bare")
	oids := lfs.commitFiles(t, lfsSizes)
	lfs.alice.serve(lfs.alice.newRepo("hers"))
	p := &agentPair{trace: lfs.bob.trace()}
	_, before := p.connections(t)
	lfs.alice.git(lfs.clone, "push", "--quiet", "origin", "main")
	lfs.bob.mustHave(t, lfs.served, oids)
	lfs.alice.git(lfs.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", "again")
	sameFiles(t, filepath.Join(lfs.alice.dir, "again"), oids)
	if agents, logins := p.connections(t); agents == 0 || logins != before {
		t.Errorf("%d connections by the agent, and %d logins", agents, logins-before)
	}
}

// Ten at once go through the agent, with as few connections as can be without holding each other up.
func TestAgentManyAtOnce(t *testing.T) {
	p := newAgentPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	randomFile(t, filepath.Join(p.served, "blob"), 1<<20)
	tip := p.bob.commit(p.served, "large")
	var all sync.WaitGroup
	for n := range 10 {
		cmd := p.alice.command(p.alice.dir, "git", "clone", "--quiet", "xmpp::bob@localhost/proj", fmt.Sprint(n))
		all.Go(func() {
			if r := run(t, cmd); r.status != 0 {
				t.Errorf("clone: %v", r)
			}
		})
	}
	all.Wait()
	if agents, logins := p.connections(t); agents < 1 || agents > 5 || logins != 1 { // the login was that of the clone with the invite
		t.Errorf("%d connections by the agent, want at most 5; %d logins", agents, logins)
	}
	for n := range 10 {
		if got := p.alice.git(filepath.Join(p.alice.dir, fmt.Sprint(n)), "rev-parse", "HEAD"); got != tip {
			t.Errorf("cloned %s, want %s", got, tip)
		}
	}
}

// A helper that is set up otherwise than the agent, or told to, logs in itself.
func TestAgentNotUsed(t *testing.T) {
	p := newAgentPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	lsRemote := func(h *home, options ...string) func() {
		return func() { h.git(h.dir, append(options, "ls-remote", "xmpp::bob@localhost/proj")...) }
	}
	invited := func(h *home) *home { // known to Bob, by an invite: that is a login too
		p.expect(t, 0, 1, func() { h.git(h.dir, "ls-remote", p.bob.xmpp(p.served, "invite")) })
		return h
	}
	with := func(h home, env ...string) *home {
		h.env = append(append([]string{}, h.env...), env...)
		return &h
	}
	p.expect(t, 0, 1, lsRemote(p.alice, "-c", "xmpp.agent=never"))
	p.expect(t, 0, 1, lsRemote(p.alice, "-c", "xmpp.server=tls://"+p.server.DirectTLSAddr))
	t.Run("another key", func(t *testing.T) {
		other := with(*p.alice, "GIT_XMPP_IDENTITY="+strings.Repeat("A", 43))
		p.expect(t, 0, 1, lsRemote(invited(other)))
	})
	t.Run("another account", func(t *testing.T) {
		other := with(*p.alice, "GIT_XMPP_ACCOUNT=carol@localhost", "GIT_XMPP_PASSWORD="+p.server.Accounts["carol"])
		p.expect(t, 0, 1, lsRemote(invited(other)))
	})
	t.Run("another home", func(t *testing.T) {
		other := newHome(t, p.server, "Alice", "alice")
		p.expect(t, 0, 1, lsRemote(invited(with(*other, "XDG_RUNTIME_DIR="+filepath.Join(p.alice.dir, "run")))))
	})
	p.expect(t, 1, 0, lsRemote(p.alice))

	sockets := func() []string {
		found, _ := filepath.Glob(filepath.Join(p.alice.dir, "run", "git-remote-xmpp", "*", "agent"))
		return found
	}
	if len(sockets()) != 1 {
		t.Errorf("sockets: %v", sockets())
	}
	p.agent.kill()
	if len(sockets()) != 1 {
		t.Error("the agent was killed, and the socket isn't there any more")
	}
	p.expect(t, 0, 1, lsRemote(p.alice))
	p.agent = p.alice.serve(p.hers)
	p.expect(t, 1, 0, lsRemote(p.alice))
	p.agent.stop()
	if len(sockets()) != 0 {
		t.Errorf("the agent has stopped, and left %v", sockets())
	}
	p.expect(t, 0, 1, lsRemote(p.alice))
	p.alice.git(p.alice.dir, "config", "--global", "xmpp.agent", "never")
	p.alice.serve(p.hers)
	if len(sockets()) != 0 {
		t.Errorf("xmpp.agent is never, and there is %v", sockets())
	}
}

// A serve whose own repositories a helper of the same home asks for is reached by way of itself.
func TestAgentOfItself(t *testing.T) {
	p := newAgentPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	clone := filepath.Join(p.alice.dir, "own")
	p.alice.git(p.alice.dir, "clone", "--quiet", p.alice.xmpp(p.hers, "invite"), clone)
	pushed := p.alice.commit(clone, "pushed")
	p.alice.env = append(p.alice.env, "GIT_XMPP_TRACE=1")
	mustSay(t, p.alice.gitBoth(clone, "push", "origin", "main").stderr, "connected by the agent", "main -> main")
	if got := p.alice.git(p.hers, "rev-parse", "main"); got != pushed {
		t.Errorf("main is %s, want %s", got, pushed)
	}
}

// A peer that has died and was started again is reached at once, though the agent may know nothing of it.
func TestAgentPeerStartedAgain(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newAgentPair(t, s)
		for n := range 3 {
			p.expect(t, 1, 0, func() {
				p.alice.git(p.clone, "ls-remote")
				p.alice.commit(p.clone, fmt.Sprint(n))
				p.alice.git(p.clone, "push", "--quiet", "origin", "main")
			})
			p.bobs.kill()
			p.bobs = p.bob.serve(p.served)
		}
	})
}

// Two who serve push to each other at the same moment, each through its own serve.
func TestAgentsPushToEachOther(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newAgentPair(t, s)
		theirs := filepath.Join(p.bob.dir, "theirs")
		p.bob.git(p.bob.dir, "clone", "--quiet", p.alice.xmpp(p.hers, "invite"), theirs)
		for n := range 2 {
			tips := map[string]string{}
			for dir, h := range map[string]*home{p.clone: p.alice, theirs: p.bob} {
				randomFile(t, filepath.Join(dir, "blob"), 2<<20)
				tips[dir] = h.commit(dir, fmt.Sprint(n))
			}
			var both sync.WaitGroup
			for dir, h := range map[string]*home{p.clone: p.alice, theirs: p.bob} {
				cmd := h.command(dir, "git", "push", "--quiet", "origin", "main")
				both.Go(func() {
					if r := run(t, cmd); r.status != 0 {
						t.Errorf("%s: push: %v", h.name, r)
					}
				})
			}
			both.Wait()
			if got := p.bob.git(p.served, "rev-parse", "main"); got != tips[p.clone] {
				t.Errorf("Bob has %s, want %s", got, tips[p.clone])
			}
			if got := p.alice.git(p.hers, "rev-parse", "main"); got != tips[theirs] {
				t.Errorf("Alice has %s, want %s", got, tips[theirs])
			}
		}
		if agents, logins := p.connections(t); agents != 1 || logins != 1 { // the login was that of the clone with the invite
			t.Errorf("%d connections by the agent, %d logins", agents, logins)
		}
	})
}
