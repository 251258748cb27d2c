package transport

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	// pingAfter is how long a server may be silent before it is pinged (XEP-0199), deadAfter how long before the link counts as lost.
	pingAfter = 60 * time.Second
	deadAfter = 100 * time.Second
	// busyPart of Config.Timeout, but minBusyDead at least, is what deadAfter is while there are connections: a link that a change of network has cut is to
	// be replaced before they end. Servers that limit bytes may be silent for some 20 s and live.
	busyPart    = 3
	minBusyDead = 5 * time.Second
	// wakeGrace is how long the server has to answer a machine that has slept.
	wakeGrace = 5 * time.Second
)

// processStart is what monotonic times are counted from.
var processStart = time.Now()

// A moment is one by two clocks: the wall's, which can be set, and the monotonic one, which stands still while the machine sleeps.
type moment struct{ wall, mono atomic.Int64 } // nanoseconds

func (m *moment) now() {
	now := time.Now()
	m.wall.Store(now.UnixNano())
	m.mono.Store(int64(now.Sub(processStart)))
}

// since is how long ago it was by the clock that says more: the monotonic one if the other was set back, the wall's after a sleep.
func (m *moment) since(now time.Time) time.Duration {
	return time.Duration(max(now.UnixNano()-m.wall.Load(), int64(now.Sub(processStart))-m.mono.Load()))
}

// silence is for how long nothing has come from the server.
func (s *session) silence() time.Duration { return s.heard.since(time.Now()) }

// A patience decides, from one look at a silent server to the next, whether it is pinged or given up.
type patience struct {
	pingAfter, deadAfter time.Duration
	left                 time.Duration // after a ping, until the link counts as lost
	pinged               bool
}

func newPatience(timeout time.Duration, busy bool) patience {
	dead := deadAfter
	if busy {
		dead = min(dead, max(timeout/busyPart, minBusyDead))
	}
	return patience{pingAfter: dead * 3 / 5, deadAfter: dead}
}

// every is how often to look.
func (p patience) every() time.Duration { return p.deadAfter / 10 }

// nextLook is when to look again: soon enough if connections are made meanwhile.
func (s *session) nextLook(p patience) time.Duration {
	return min(p.every(), 2*newPatience(s.cfg.Timeout, true).every())
}

// look takes how long the server has been silent, and how long ago the last look was. A ping always comes before the end: of a silence that
// this program has slept through nobody knows whose it was.
func (p *patience) look(silence, elapsed time.Duration) (ping, lost bool) {
	switch {
	case silence <= p.pingAfter:
		p.pinged = false
	case !p.pinged:
		p.pinged = true
		p.left = p.deadAfter - p.pingAfter
		if silence >= p.deadAfter {
			p.left = min(p.left, wakeGrace)
		}
		return true, false
	default:
		p.left -= min(elapsed, 2*p.every()) // what was slept through doesn't count
		return false, p.left <= 0
	}
	return false, false
}

// watch pings a silent server and gives up one that stays silent.
func (s *session) watch(ctx context.Context) error {
	p := newPatience(s.cfg.Timeout, s.handler.busy())
	timer := time.NewTimer(s.nextLook(p))
	defer timer.Stop()
	var last moment
	for {
		last.now()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		limits := newPatience(s.cfg.Timeout, s.handler.busy())
		p.pingAfter, p.deadAfter = limits.pingAfter, limits.deadAfter
		ping, lost := p.look(s.silence(), last.since(time.Now()))
		if ping {
			s.ask("", pingPayload, func(*stanzaError) {})
		}
		if lost {
			return errors.New("the server is silent")
		}
		timer.Reset(s.nextLook(p))
	}
}
