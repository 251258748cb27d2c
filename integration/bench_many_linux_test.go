package integration

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/internal/config"
)

const (
	manyRounds = 2
	// manyBytes is how much each client pushes, unless BENCH_MANY_BYTES says otherwise.
	manyBytes = 1 << 20
)

// turnMark is what git touches in a client when it knows the other side's refs: its turn has come, and what follows is the push itself.
const turnMark = ".git/turn"

// manyClients is how many push at the same time, up to BENCH_MANY_CLIENTS.
var manyClients = []int{1, 10, 50}

// BenchmarkMany measures pushes of many clients, with an account each, to one serve at the same time.
func BenchmarkMany(b *testing.B) {
	size, most := int(number(b, "BENCH_MANY_BYTES", manyBytes)), int(number(b, "BENCH_MANY_CLIENTS", 50))
	var rows []*benchRow
	for _, name := range testserver.XMPP {
		c := newCrowd(b, name, most, size)
		for _, same := range []bool{false, true} {
			for _, n := range manyClients {
				if n <= most {
					rows = append(rows, c.rows(n, same)...)
				}
			}
		}
	}
	benchReport(b, "many", rows, manyRounds, fmt.Sprintf("Clients with an account each push %d bytes at the same time, without deltas or compression: the rate is that of all together, and all git is on this machine.\n"+
		"Fairness is the time that the last client takes, by that of the first: most wait for their turn, for serve takes in %d at once. Among turns it is the longest one by the shortest. The peak is of a serve that was begun for this.", size, config.DefaultMaxPushes))
}

// A crowd is clients with an account each, and Bob, who serves a repository for each of them, and one for all.
type crowd struct {
	b       *testing.B
	over    string
	bob     *home
	shared  string
	clients []*crowdClient
	size    int
	serves  *daemon
}

// A crowdClient is one of them.
type crowdClient struct {
	*home
	clone string
	own   string // the repository that is served for it alone
	n     int
}

func newCrowd(b *testing.B, name string, most, size int) *crowd {
	b.Helper()
	accounts := map[string]string{"bob": "bob-secret"}
	for i := range most {
		accounts[crowdUser(i)] = "secret"
	}
	s := benchServer(b, name, testserver.Options{Accounts: accounts})
	c := &crowd{b: b, over: name, bob: newHome(b, s, "Bob", "bob"), size: size}
	c.bob.git(c.bob.dir, "config", "--global", "receive.unpackLimit", "1")
	c.shared = c.bob.newRepo("shared", "--bare")
	own := make(map[string]string)
	for i := range most {
		own[crowdUser(i)] = c.bob.newRepo(crowdUser(i), "--bare")
	}
	c.serve(slices.Collect(maps.Values(own)))
	for i := range most {
		c.join(s, crowdUser(i), own[crowdUser(i)])
	}
	return c
}

func crowdUser(i int) string { return "user" + strconv.Itoa(i) }

// serve begins one anew.
func (c *crowd) serve(own []string) {
	if c.serves != nil {
		c.serves.stop()
	}
	c.serves = c.bob.serve(c.bob.dir, append(own, c.shared)...)
}

func (c *crowd) join(s *testserver.Server, user, own string) {
	h := newHome(c.b, s, user, user)
	p := &crowdClient{home: h, clone: filepath.Join(h.dir, "clone"), own: own}
	for key, value := range map[string]string{"core.compression": "0", "core.bigFileThreshold": "1k"} {
		h.git(h.dir, "config", "--global", key, value)
	}
	h.git(h.dir, "clone", "--quiet", c.bob.xmpp(own, "invite"), p.clone)
	c.bob.xmpp(c.bob.dir, "peers", "set", h.key(), "--access", "write", c.shared)
	h.git(p.clone, "remote", "add", "shared", "xmpp::bob@localhost/shared")
	if err := os.WriteFile(filepath.Join(p.clone, ".git", "hooks", "pre-push"), []byte("#!/bin/sh\n: >"+turnMark+"\n"), 0o700); err != nil {
		c.b.Fatal(err)
	}
	c.clients = append(c.clients, p)
}

func (c *crowd) rows(n int, same bool) []*benchRow {
	kind := "a repository each"
	if same {
		kind = "the same repository"
	}
	over := fmt.Sprintf("%s, %s", c.over, kind)
	name := "1 client"
	if n > 1 {
		name = fmt.Sprintf("%d clients", n)
	}
	var last crowdResult
	rows := []*benchRow{
		{over: over, name: name, bytes: n * c.size, curve: over, x: float64(n), measure: func() time.Duration {
			last = c.push(c.clients[:n], same)
			return last.took
		}},
		{over: over, name: name + ", peak of serve", scale: "MiB", number: func() float64 { return mib(last.peak) }},
	}
	if n > 1 {
		rows = append(rows,
			&benchRow{over: over, name: name + ", fairness", number: func() float64 { return last.unfair }},
			&benchRow{over: over, name: name + ", fairness among turns", number: func() float64 { return last.uneven }})
	}
	return rows
}

// A crowdResult is how pushes of many went.
type crowdResult struct {
	took   time.Duration // of all
	unfair float64       // the last by the first
	uneven float64       // the longest turn by the shortest
	peak   int           // bytes
}

// push has clients push at the same time.
func (c *crowd) push(clients []*crowdClient, same bool) crowdResult {
	c.b.Helper()
	var own []string
	for _, p := range c.clients {
		own = append(own, p.own)
	}
	c.serve(own)
	want := make([]string, len(clients))
	for i, p := range clients {
		p.n++
		if err := os.WriteFile(filepath.Join(p.clone, "data"), benchRandom(c.size), 0o600); err != nil {
			c.b.Fatal(err)
		}
		want[i] = p.commit(p.clone, "push-"+strconv.Itoa(p.n))
	}
	took, turns, errs := make([]time.Duration, len(clients)), make([]time.Duration, len(clients)), make([]error, len(clients))
	var all sync.WaitGroup
	begin := time.Now()
	for i, p := range clients {
		all.Go(func() {
			if out, err := p.command(p.clone, "git", "push", "--quiet", p.remote(same), "HEAD:refs/heads/"+p.name).CombinedOutput(); err != nil {
				errs[i] = fmt.Errorf("%s: %w: %s", p.name, err, out)
			}
			took[i] = time.Since(begin)
			turn, err := os.Stat(filepath.Join(p.clone, turnMark))
			if errs[i] = errors.Join(errs[i], err); err == nil {
				turns[i] = begin.Add(took[i]).Sub(turn.ModTime())
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		c.b.Fatal(err)
	}
	for i, p := range clients {
		into := p.own
		if same {
			into = c.shared
		}
		if got := c.bob.git(into, "rev-parse", "refs/heads/"+p.name); got != want[i] {
			c.b.Fatalf("%s is %s there, not %s", p.name, got, want[i])
		}
	}
	by := func(times []time.Duration) float64 { return slices.Max(times).Seconds() / slices.Min(times).Seconds() }
	return crowdResult{slices.Max(took), by(took), by(turns), peakOf(c.b, c.serves.cmd.Process.Pid)}
}

func (p *crowdClient) remote(same bool) string {
	if same {
		return "shared"
	}
	return "origin"
}
