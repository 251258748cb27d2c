package integration

import (
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// goneTimeout is xmpp.timeout where one end goes offline for good, and goneWithin how long the other may take to give up then.
const (
	goneTimeout = "10"
	goneWithin  = 13 * time.Second
)

// faultTimeout is xmpp.timeout where one end hangs; givenUpWithin is how long the other may take to give up then, and to clean up.
const (
	faultTimeout  = "4"
	givenUpWithin = 25 * time.Second
)

// timedOut is what a push says whose time is up: by the service's, the peer's or the connection's clock.
var timedOut = regexp.MustCompile(`(?m)^git-remote-xmpp: bob@localhost/proj: (no progress for (too long|4s)|nothing heard from \S+ for too long)`)

func saysTimeout(t *testing.T, r result) {
	t.Helper()
	if !timedOut.MatchString(r.stderr) {
		t.Errorf("a push that timed out says: %v", r)
	}
}

// running begins a push over a slow server and returns when data flows.
func (p *pair) running(t *testing.T) *started {
	t.Helper()
	push := p.alice.start(t, p.clone, "push", "origin", "main")
	await(t, "data to flow", func() bool { return incoming(p.served) >= flowingBytes })
	return push
}

// signal sends a signal to a process, or to a group by its negative id, which is ours.
func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// recovered expects that nothing of a push that failed is left, that main is what it was, and that the next push works.
func (p *pair) recovered(t *testing.T, before string, files int) {
	t.Helper()
	p.alice.onlyServes(t, nil)
	p.bob.onlyServes(t, p.daemon)
	if left := remains(t, p.served); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if got := p.bob.git(p.served, "rev-parse", "main"); got != before {
		t.Errorf("main is %s, want %s", got, before)
	}
	p.bob.git(p.served, "fsck", "--strict")
	await(t, "descriptors to be closed", func() bool { return p.daemon.files(t) <= files })
	began := time.Now()
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	t.Logf("the next push took %v", time.Since(began).Round(time.Millisecond))
	if got, want := p.bob.git(p.served, "rev-parse", "main"), p.alice.git(p.clone, "rev-parse", "main"); got != want {
		t.Errorf("main is %s, want %s", got, want)
	}
}

// The pushing side stops to read and to write: the serving side gives up after its timeout, and tells why when the other is back.
func TestHelperHangs(t *testing.T) {
	t.Parallel()
	p := slowPair(t, testserver.Prosody)
	p.daemon.stop()
	p.bob.git(p.bob.dir, "config", "--global", "xmpp.timeout", faultTimeout)
	p.daemon = p.bob.serve(p.served)
	before, files := p.bob.git(p.served, "rev-parse", "main"), p.daemon.files(t)
	push := p.running(t)
	signal(t, -push.cmd.Process.Pid, syscall.SIGSTOP)
	hangs := time.Now()
	p.bob.onlyServes(t, p.daemon)
	if took := time.Since(hangs); took > givenUpWithin {
		t.Errorf("the serving side took %v to give up", took)
	} else {
		t.Logf("the serving side took %v to give up", took.Round(time.Millisecond))
	}
	signal(t, -push.cmd.Process.Pid, syscall.SIGCONT)
	r := push.wait(t)
	if r.status == 0 {
		t.Errorf("push: %v", r)
	}
	saysTimeout(t, r)
	p.recovered(t, before, files)
}

// The serving side hangs: the push ends after its timeout, and the serving side cleans up as soon as it goes on.
func TestServeHangs(t *testing.T) {
	t.Parallel()
	p := slowPair(t, testserver.Prosody)
	p.alice.git(p.clone, "config", "xmpp.timeout", faultTimeout)
	before := p.bob.git(p.served, "rev-parse", "main")
	p.bob.onlyServes(t, p.daemon)
	files := p.daemon.files(t)
	push := p.running(t)
	signal(t, p.daemon.cmd.Process.Pid, syscall.SIGSTOP)
	hangs := time.Now()
	r := push.wait(t)
	took := time.Since(hangs)
	signal(t, p.daemon.cmd.Process.Pid, syscall.SIGCONT)
	if r.status == 0 || took > givenUpWithin {
		t.Errorf("push, %v: %v", took, r)
	}
	t.Logf("the push took %v to give up", took.Round(time.Millisecond))
	saysTimeout(t, r)
	p.recovered(t, before, files)
}

// The XMPP server is stopped and started in the middle of a push: the push goes on and finishes.
func TestServerRestarted(t *testing.T) {
	t.Parallel()
	for _, name := range testserver.XMPP {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := slowPair(t, name)
			push := p.running(t)
			if err := p.server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r := push.wait(t); r.status != 0 {
				t.Errorf("push: %v", r)
			}
			want := p.alice.git(p.clone, "rev-parse", "main")
			if got := p.bob.git(p.served, "rev-parse", "main"); got != want {
				t.Errorf("main is %s, want %s", got, want)
			}
			p.alice.commit(p.clone, "next")
			p.recovered(t, want, p.daemon.files(t))
		})
	}
}

// The serving side goes offline for good: the push ends by what the servers say, within its timeout.
func TestServeGone(t *testing.T) {
	t.Parallel()
	p := slowPair(t, testserver.Prosody)
	p.alice.git(p.clone, "config", "xmpp.timeout", goneTimeout)
	before, files := p.bob.git(p.served, "rev-parse", "main"), p.daemon.files(t)
	push := p.running(t)
	p.daemon.kill()
	gone := time.Now()
	r := push.wait(t)
	took := time.Since(gone)
	if r.status == 0 || took > goneWithin {
		t.Errorf("push, %v: %v", took, r)
	}
	t.Logf("the push took %v to give up: %s", took.Round(time.Millisecond), r.stderr)
	mustSay(t, r.stderr, "waiting: bob@localhost went offline", ourPrefix+"bob@localhost/proj: bob@localhost/git-")
	p.bob.onlyServes(t, nil)
	p.daemon = p.bob.serve(p.bob.dir, filepath.Base(p.served))
	p.recovered(t, before, files)
}
