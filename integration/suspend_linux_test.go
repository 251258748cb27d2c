package integration

import (
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	// asleep is how long a machine sleeps, if SURVIVE_SECONDS doesn't say so.
	asleep = 6 * time.Second
	// awayAtMost is how long a machine sleeps that the other one knows to be away: that one waits for half a minute.
	awayAtMost = 20 * time.Second
	// backWithin is how long a serve that wakes up may take until it is reached again.
	backWithin = 20 * time.Second
)

func sleeping() time.Duration {
	if seconds, err := strconv.Atoi(os.Getenv("SURVIVE_SECONDS")); err == nil {
		return time.Duration(seconds) * time.Second
	}
	return asleep
}

// One of the two machines sleeps in the middle of a push, for less than xmpp.timeout: the push goes on and finishes. That it was cut off from the server in its
// sleep, by which the other one knows that it has gone, makes no difference.
func TestSuspended(t *testing.T) {
	t.Parallel() // it waits most of the time
	for name, c := range map[string]struct {
		server     string
		serve, cut bool
	}{
		"the pushing side":                   {testserver.Ejabberd, false, false},
		"the pushing side, which is cut off": {testserver.Prosody, false, true},
		"the serving side, which is cut off": {testserver.Ejabberd, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newCutPair(t, testserver.New(t, c.server, testserver.Options{}), cutBytesPerSecond)
			p.daemon.stop()
			for _, h := range []*home{p.bob, p.alice} {
				h.git(h.dir, "config", "--global", "--unset", "xmpp.timeout") // which leaves the default
			}
			p.daemon = p.bob.serve(p.served)
			p.start(t, true, cutPack)
			await(t, "data to flow", func() bool { return incoming(p.received) > cutPack/4 })
			wire, pid, sleep := p.alices, -p.transfer.cmd.Process.Pid, sleeping()
			if c.serve {
				wire, pid = p.bobs, p.daemon.cmd.Process.Pid
			}
			signal(t, pid, syscall.SIGSTOP)
			if c.cut {
				wire.cut()
				sleep = min(sleep, awayAtMost)
			}
			<-time.After(sleep)
			signal(t, pid, syscall.SIGCONT)
			woke := time.Now()
			p.arrived(t)
			if c.serve && c.cut {
				mustSay(t, p.transfer.stderr.String(), "waiting: bob@localhost went offline", "bob@localhost is back")
			}
			t.Logf("%v after %v of sleep", time.Since(woke).Round(time.Millisecond), sleep)
		})
	}
}

// A serve that has nothing to do sleeps, and is cut off from its server: it is reached again soon after it woke up.
func TestServeSuspended(t *testing.T) {
	t.Parallel()
	p := newCutPair(t, testserver.New(t, testserver.Ejabberd, testserver.Options{}), 0)
	pid := p.daemon.cmd.Process.Pid
	signal(t, pid, syscall.SIGSTOP)
	p.bobs.cut()
	<-time.After(sleeping())
	signal(t, pid, syscall.SIGCONT)
	woke := time.Now()
	await(t, "serve to be back", func() bool { return p.alice.try(p.clone, "git", "ls-remote", "origin").status == 0 })
	if took := time.Since(woke); took > backWithin {
		t.Errorf("it was back after %v", took)
	}
	p.alice.commit(p.clone, "next")
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
}
