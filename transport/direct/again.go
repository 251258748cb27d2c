package direct

import (
	"context"
	"net"
	"strings"
	"time"
)

// unreachable is why there is no path after a try that has found none.
const unreachable = "neither side's packets reach the other's addresses"

// begin makes a new try to find a pair of addresses.
func (l *Link) begin(ctx context.Context, generation uint32) {
	if l.turn.failed {
		l.because(unreachable)
	} else {
		l.because("a direct path is looked for")
	}
	l.dropSearch()
	l.turn.generation, l.turn.lastStart = generation, time.Now()
	var servers []Server
	if l.cfg.Servers != nil {
		servers = resolve(ctx, l.cfg.Servers(ctx))
	}
	s, err := newSearch(ctx, l, generation, servers)
	if err != nil {
		l.because("no path can be looked for: " + err.Error())
		l.cfg.Log.Debug("no direct path", "err", err)
		return
	}
	l.search = s
}

// dropSearch ends the present try.
func (l *Link) dropSearch() {
	if l.search == nil {
		return
	}
	s := l.search
	l.search = nil
	if s.path != nil {
		s.path.health.good = false
		if l.usable(s.path) {
			l.choose()
		}
	}
	s.close()
}

// lookSearch does what is due for a pair of addresses, and returns when to look again.
func (l *Link) lookSearch(ctx context.Context, now time.Time) time.Duration {
	if l.due(now) {
		l.again(ctx)
	}
	if l.search == nil || !l.search.usable() {
		return l.awaitPath(now)
	}
	p := l.search.path
	wait := p.check(now)
	if t := &l.turn; p.health.good {
		t.retry, t.retryAt, t.failed = 0, time.Time{}, false
	} else if p.health.why != "" {
		l.because(p.health.why)
	}
	return wait
}

// awaitPath gives up a try that has lasted too long, and returns when to look again.
func (l *Link) awaitPath(now time.Time) time.Duration {
	if l.search != nil {
		if left := connectWithin - now.Sub(l.search.began); left > 0 {
			return min(left, lookAt)
		}
		l.turn.failed = true
		l.because(unreachable)
		l.dropSearch()
	}
	return min(max(l.turn.retryAt.Sub(now), beat), lookAt)
}

// due tells whether it is time for a new try, and notes when the next one may be.
func (l *Link) due(now time.Time) bool {
	t := &l.turn
	if t.retryAt.IsZero() {
		if l.search != nil && (l.search.path == nil || l.search.path.silentFor(now) <= silentWithin) {
			return false
		}
		t.retryAt = t.lastStart.Add(t.retry)
	}
	if now.Before(t.retryAt) || l.cfg.Controlling && !t.begins.take(now, 1) {
		return false
	}
	t.retry = min(max(2*t.retry, minRetry), maxRetry)
	t.retryAt = time.Time{}
	return true
}

// again makes a new try, or asks the other end for one.
func (l *Link) again(ctx context.Context) {
	t := &l.turn
	if l.cfg.Controlling {
		l.begin(ctx, t.generation+1)
		return
	}
	t.lastStart = time.Now()
	if t.generation > 0 {
		l.say(signal{kind: signalAgain, generation: t.generation})
	}
}

// watchAddresses has new tries made at once after a change of the machine's addresses, but for a path that works and isn't relayed.
func (l *Link) watchAddresses(now time.Time) {
	t := &l.turn
	if now.Sub(t.lookedAt) < lookAt {
		return
	}
	t.lookedAt = now
	addresses := interfaceAddrs()
	if addresses == t.addresses {
		return
	}
	t.addresses, t.retry = addresses, 0
	l.leave(addresses)
	if p := l.current.Load(); p != nil {
		if kind, _ := p.carrier.describe(); kind == wayDirect {
			return
		}
	}
	l.cfg.Log.Debug("the network has changed")
	t.retryAt = t.lastStart.Add(minRetry)
	t.meetRetry, t.meetAt = 0, time.Time{}
}

// interfaceAddrs are the addresses of this machine that a peer, or a server, may see, as one string.
func interfaceAddrs() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var all strings.Builder
	for _, a := range addrs {
		if mayBeTried(a, true) {
			all.WriteString(a.String() + " ")
		}
	}
	return all.String()
}
