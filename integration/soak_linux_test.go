package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	soakClients = 20
	soakAtOnce  = 4 // commands
	soakSlack   = 3 // goroutines that not every serve needs
)

// A soak is Bob, who serves repositories of all kinds, and many clients of several people.
type soak struct {
	*testing.T
	bob    *home
	daemon *daemon
	repos  []*soakRepo
	people []*home
	end    time.Time

	mu      sync.Mutex
	clients []*soakClient
	free    []*soakClient
	counts  map[string]int
	slowest time.Duration // command
}

// A soakRepo is a repository of Bob's.
type soakRepo struct {
	name, dir string
	direct    bool // plain git semantics: a push may be rejected
}

// Many clients push to and fetch from several repositories, and some are killed at whatever moment. In the end every repository
// has what clients were told it has, and nothing has been left, held or used up. SOAK_SECONDS is how long it goes on, SOAK_SEED
// repeats what was random.
func TestSoak(t *testing.T) {
	otherwise := int64(20)
	if os.Getenv("CI") == "true" {
		otherwise = 120
	}
	seconds, seed := number(t, "SOAK_SECONDS", otherwise), number(t, "SOAK_SEED", time.Now().UnixNano())
	t.Logf("SOAK_SEED=%d", seed)
	s := newSoak(t)
	for _, h := range append(s.people, s.bob) {
		h.onlyServes(t, s.daemon)
	}
	idle := s.goroutines() // of a serve that has done nothing
	s.daemon = s.bob.serve(s.bob.dir, "--base-path", "base", "--export-all")
	for n := range soakClients {
		s.newClient(n)
	}
	s.bob.onlyServes(t, s.daemon)
	before := s.usage()

	began := time.Now()
	s.end = began.Add(time.Duration(seconds) * time.Second)
	failed := make(chan error, soakAtOnce)
	for n := range soakAtOnce {
		random := rand.New(rand.NewPCG(uint64(seed), uint64(n)))
		go func() { failed <- s.work(random) }()
	}
	for range soakAtOnce {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	s.report(time.Since(began))
	s.settle(before)
	s.lastPushes()
	s.kept()
	await(s.T, "the connections of killed clients to end", func() bool { return len(s.bob.status().Connections) == 0 })
	if after := s.goroutines(); after > idle+soakSlack {
		t.Errorf("%d goroutines, of a serve that has just begun %d: %s", after, idle, s.daemon.stderr)
	}
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	accounts := map[string]string{"bob": "bob-secret"}
	users := []string{"alice", "carol", "dave", "erin"}
	for _, user := range users {
		accounts[user] = user + "-secret"
	}
	server := testserver.New(t, testserver.Prosody, testserver.Options{Accounts: accounts})
	s := &soak{T: t, bob: newHome(t, server, "Bob", "bob"), counts: make(map[string]int)}
	s.newRepo("merge", "xmpp.integrate", "merge")
	s.newRepo("tree", "xmpp.integrate", "ff")
	s.newRepo("direct", "xmpp.pushMode", "direct").direct = true
	s.newRepo("sha256", "xmpp.integrate", "ff", "--object-format=sha256")
	s.daemon = s.bob.serve(s.bob.dir, "--base-path", "base", "--export-all")
	for n, user := range users {
		h := newHome(t, server, user, user)
		if n%2 == 0 {
			h.git(h.dir, "config", "--global", "xmpp.directPath", "never")
		}
		h.git(h.dir, "ls-remote", s.bob.xmpp(s.repos[0].dir, "invite", "--label", user))
		for _, r := range s.repos {
			s.bob.xmpp(r.dir, "peers", "set", h.key(), "--access", "write", ".")
		}
		s.people = append(s.people, h)
	}
	return s
}

// newRepo makes a repository with a commit and a setting: bare, but for the tree.
func (s *soak) newRepo(name, key, value string, init ...string) *soakRepo {
	s.Helper()
	r := &soakRepo{name: name, dir: filepath.Join(s.bob.dir, "base", name)}
	if name == "tree" {
		s.bob.newRepo(filepath.Join("base", name), init...)
	} else {
		r.dir += ".git"
		s.bob.git(s.bob.dir, "clone", "--quiet", "--bare", s.bob.newRepo("seed-"+name, init...), r.dir)
	}
	s.bob.git(r.dir, "config", key, value)
	s.repos = append(s.repos, r)
	return r
}

// newClient clones one of the repositories as one of the people, each as every other.
func (s *soak) newClient(n int) {
	s.Helper()
	c := &soakClient{soak: s, home: s.people[n%len(s.people)], repo: s.repos[n/len(s.people)%len(s.repos)], branch: fmt.Sprintf("c%02d", n)}
	c.dir = filepath.Join(c.home.dir, c.branch)
	c.home.git(c.home.dir, "clone", "--quiet", "xmpp::bob@localhost/"+c.repo.name, c.dir)
	s.clients, s.free = append(s.clients, c), append(s.free, c)
}

// work has one client after the other do something, until the end.
func (s *soak) work(random *rand.Rand) error {
	for time.Now().Before(s.end) && !s.Failed() {
		c := s.take(random)
		err := c.act(random)
		s.mu.Lock()
		s.free = append(s.free, c)
		s.mu.Unlock()
		if err != nil {
			return fmt.Errorf("%s of %s, to %s: %w", c.branch, c.home.name, c.repo.name, err)
		}
	}
	return nil
}

// take takes a client that does nothing.
func (s *soak) take(random *rand.Rand) *soakClient {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := random.IntN(len(s.free))
	c := s.free[at]
	s.free = slices.Delete(s.free, at, at+1)
	return c
}

func (s *soak) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// report logs what has happened, and fails if that was too little.
func (s *soak) report(took time.Duration) {
	s.Helper()
	total := 0
	for _, n := range s.counts {
		total += n
	}
	s.Logf("%d commands in %v, %.1f per second, the slowest took %v: %v", total, took.Round(time.Second), float64(total)/took.Seconds(), s.slowest.Round(time.Millisecond), s.counts)
	if s.counts["push"] == 0 || s.counts["fetch"] == 0 || s.counts["killed"] == 0 {
		s.Error("too little has happened")
	}
}
