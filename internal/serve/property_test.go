package serve_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/internal/schedule"
	"git-remote-xmpp/protocol"
)

const (
	crowdPeers   = 5
	crowdStreams = 3               // of a peer, at once
	crowdSlack   = 3               // goroutines that may have begun late; each peer that left some would leave more
	crowdTimeout = 2 * time.Second // without progress
	// crowdPatience is how long anything may wait, crowdAnswer what doesn't wait for a turn, and crowdRun how long it may run.
	crowdPatience = 60 * time.Second
	crowdAnswer   = 10 * time.Second
	crowdRun      = crowdTimeout + 30*time.Second // the machine may be busy
)

// A crowd are scripted peers that do what peers do, and what they shouldn't.
type crowd struct {
	*world
	tip  string // a commit
	id   []byte // the same
	pack []byte // that holds it
	end  time.Time

	mu     sync.Mutex
	told   map[string]string // the refs that peers were told are there, and their repositories
	counts map[string]int    // of what has happened
	seen   struct{ receiving, fetching, waiting int }
}

// Whatever peers do: limits hold, every stream is answered or cancelled in time, and when they have gone nothing of them is left.
// PROPERTY_SECONDS is how long it goes on, PROPERTY_SEED repeats what was random.
func TestCrowd(t *testing.T) {
	seconds, seed := number(t, "PROPERTY_SECONDS", 10), number(t, "PROPERTY_SEED", time.Now().UnixNano())
	t.Logf("PROPERTY_SEED=%d", seed)
	c := &crowd{world: newWorld(t, crowdTimeout, "proj", "other", "hidden"), id: make([]byte, 20), told: make(map[string]string), counts: make(map[string]int)}
	c.makePack()
	goroutines, files := runtime.NumGoroutine(), openFiles()
	c.newPeer(crowdPeers, rand.New(rand.NewPCG(0, 0))).mustWork("first") // serve is up
	c.end = time.Now().Add(time.Duration(seconds) * time.Second)

	stop, watched := make(chan struct{}), make(chan error, 1)
	go func() { watched <- c.watch(stop) }()
	failed := make(chan error, crowdPeers)
	for n := range crowdPeers {
		p := c.newPeer(n, rand.New(rand.NewPCG(uint64(seed), uint64(n))))
		go func() { failed <- p.run() }()
	}
	for range crowdPeers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if err := <-watched; err != nil {
		t.Error(err)
	}
	t.Logf("what happened: %v; most at once: %+v; goroutines: %d, files: %d", c.counts, c.seen, goroutines, files)
	if c.seen.waiting == 0 || c.seen.receiving < 2 || len(c.told) == 0 {
		t.Error("nothing had to wait, or nothing was pushed: this has tested little")
	}
	c.settle(goroutines, files)
	c.soundRepositories()
	c.newPeer(crowdPeers+1, rand.New(rand.NewPCG(0, 0))).mustWork("last")
}

// number is a number from the environment.
func number(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// makePack makes the commit that peers push.
func (c *crowd) makePack() {
	c.t.Helper()
	dir := c.t.TempDir()
	git(c.t, dir, "init", "--quiet")
	git(c.t, dir, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "--message", "first")
	c.tip = git(c.t, dir, "rev-parse", "HEAD")
	if _, err := hex.Decode(c.id, []byte(c.tip)); err != nil {
		c.t.Fatal(err)
	}
	git(c.t, dir, "repack", "--quiet", "-ad")
	packs, err := filepath.Glob(filepath.Join(dir, ".git", "objects", "pack", "*.pack"))
	if err != nil || len(packs) != 1 {
		c.t.Fatalf("packs: %v, %v", packs, err)
	}
	if c.pack, err = os.ReadFile(packs[0]); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

// watch looks at what runs and what waits, again and again.
func (c *crowd) watch(stop <-chan struct{}) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := c.look(c.server.TurnsNow()); err != nil {
				return err
			}
		case <-stop:
			return nil
		}
	}
}

// look checks one moment.
func (c *crowd) look(entries []schedule.Entry) error {
	running, waiting := make(map[schedule.Side]int), 0
	clients, owners := make(map[string]int), make(map[string]int)
	for _, e := range entries {
		age, most := time.Since(e.Since), crowdPatience
		if e.Running {
			most = crowdRun
			running[e.Side]++
			owners[e.Side.String()+" "+e.Owner]++
			if e.Side == schedule.Receiving {
				clients[e.Client]++
			}
			if clients[e.Client] > 1 {
				return fmt.Errorf("two pushes of %s run at once", e.Client)
			}
		} else {
			waiting++
		}
		if age > most {
			return fmt.Errorf("for %v there has been %+v", age, e)
		}
	}
	if running[schedule.Receiving] > c.server.Pushes || running[schedule.Fetching] > c.server.Fetches {
		return fmt.Errorf("too many run: %v", running)
	}
	for owner, n := range owners {
		if n >= c.server.Fetches || strings.HasPrefix(owner, schedule.Receiving.String()) && n >= c.server.Pushes {
			return fmt.Errorf("%s has all places", owner)
		}
	}
	c.seen.receiving, c.seen.fetching = max(c.seen.receiving, running[schedule.Receiving]), max(c.seen.fetching, running[schedule.Fetching])
	c.seen.waiting = max(c.seen.waiting, waiting)
	return nil
}

// settle waits until nothing is left of the peers.
func (c *crowd) settle(goroutines, files int) {
	c.t.Helper()
	c.await("an empty queue", func() bool { return len(c.server.TurnsNow()) == 0 })
	c.await("the end of all children", func() bool { return len(children()) == 0 })
	defer func() {
		if c.t.Failed() {
			var stacks bytes.Buffer
			buf := make([]byte, 1<<20)
			stacks.Write(buf[:runtime.Stack(buf, true)])
			c.t.Logf("%d goroutines, %d files\n%s", runtime.NumGoroutine(), openFiles(), &stacks)
		}
	}()
	c.await("the end of all goroutines", func() bool { return runtime.NumGoroutine() <= goroutines+crowdSlack })
	c.await("the end of all files", func() bool { return openFiles() <= files })
}

// soundRepositories checks that the repositories have what peers were told, and nothing half done.
func (c *crowd) soundRepositories() {
	c.t.Helper()
	for ref, name := range c.told {
		if got := git(c.t, c.repos[name].Repo.Dir, "rev-parse", ref); got != c.tip {
			c.t.Errorf("%s of %s is %s", ref, name, got)
		}
	}
	for name, entry := range c.repos {
		git(c.t, entry.Repo.Dir, "fsck", "--strict")
		for _, pattern := range []string{"objects/tmp_*", "objects/incoming-*", "*.lock", "refs/heads/*.lock"} {
			if left, err := filepath.Glob(filepath.Join(entry.Repo.Dir, pattern)); err != nil || len(left) > 0 {
				c.t.Errorf("left in %s: %v, %v", name, left, err)
			}
		}
	}
	if refs := git(c.t, c.repos["hidden"].Repo.Dir, "for-each-ref"); refs != "" {
		c.t.Errorf("refs of a repository that nobody may write: %s", refs)
	}
}

// openFiles is how many files this process has open, 0 where that can't be seen.
func openFiles() int {
	list, _ := os.ReadDir("/proc/self/fd") // there on Linux only
	return len(list)
}

// children are the processes that this one has started and that live, where that can be seen.
func children() (found []string) {
	list, _ := filepath.Glob("/proc/[0-9]*/stat") // fails for a bad pattern only
	for _, file := range list {
		stat, _ := os.ReadFile(file) // gone: no child of ours
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		if fields := strings.Fields(string(rest)); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			found = append(found, string(stat))
		}
	}
	return found
}

// mustWork checks that a push and a fetch work at once.
func (p *scripted) mustWork(branch string) {
	p.t.Helper()
	conn, _, err := p.connect()
	if err != nil {
		p.t.Fatal(err)
	}
	defer p.endpoint.Close()
	for _, service := range []protocol.Service{protocol.ReceivePack, protocol.UploadPack} {
		plan := p.plan()
		plan.kind, plan.open.Service, plan.open.Repository, plan.ref = finish, service, "proj", "refs/heads/"+branch
		if err := p.play(conn, plan); err != nil {
			p.t.Errorf("%s %s: %v", branch, service, err)
		}
	}
}
