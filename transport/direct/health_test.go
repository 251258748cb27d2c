package direct

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// newDeafPath is one of a link over which nothing comes.
func newDeafPath(t *testing.T, l *Link) *path {
	t.Helper()
	ours, theirs := net.Pipe()
	p, err := newPath(l, pipe{ours}, newSealer(true, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ours.Close()
		_ = theirs.Close()
		p.wait()
	})
	return p
}

// A way that breaks again and again is used less and less, also when it was found anew; one that has worked for long is used again at once.
func TestRestlessPath(t *testing.T) {
	l := New(Config{})
	now, uses := time.Now(), 0
	work := func(p *path, heard bool, lasts time.Duration) {
		for end := now.Add(lasts); now.Before(end); now = now.Add(beat) {
			before := p.health.good
			if p.judge(pulse{heard: heard, silent: !heard}, now); p.health.good && !before {
				uses++
			}
		}
	}
	for range 2 {
		p := newDeafPath(t, l)
		for range 60 {
			work(p, true, 300*time.Millisecond)
			work(p, false, 700*time.Millisecond)
		}
	}
	if uses > 15 || uses < 5 {
		t.Errorf("a way that breaks each second was used %d times in two minutes", uses)
	}
	p := newDeafPath(t, l)
	work(p, true, maxDoubt+2*steadyFor)
	uses = 0
	work(p, false, time.Second)
	work(p, true, 2*beat)
	if uses != 1 {
		t.Errorf("what had worked for %v and does again was used %d times", 2*steadyFor, uses)
	}
}

// A path that is used again while packets flow, and breaks again, isn't used for longer than the first time.
func TestBreaksAgain(t *testing.T) {
	t.Parallel()
	var off atomic.Bool
	w := newWireOf(t, func(network string, addr *net.UDPAddr) (Socket, error) {
		conn, err := net.ListenUDP(network, addr)
		return switched{conn, &off}, err
	})
	w.await(t, true)
	reaches := func(up bool) func() bool {
		return func() bool {
			return w.a.Write(packetOf(50, 1)) == up // as a transfer does all the time
		}
	}
	for range 3 {
		off.Store(true)
		begin := time.Now()
		soon(t, "the break to be noticed", reaches(false))
		if took := time.Since(begin); took > 2*silentAfter {
			t.Errorf("a break was noticed after %v", took)
		}
		off.Store(false)
		soon(t, "the path to be used again", reaches(true))
	}
}
