package direct

import "time"

// health is what Run's goroutine notes of a path.
type health struct {
	good     bool
	why      string    // if it isn't any more
	silentAt time.Time // since when it has been silent; zero: it isn't
	goodAt   time.Time // since when it has been good
	probedAt time.Time
	fullAt   time.Time
	doubt    *doubt
}

// steadyFor is how long a way has to work for its last break to be forgotten, maxDoubt how long it isn't used at most after one.
const (
	steadyFor = 10 * time.Second
	maxDoubt  = 30 * time.Second
)

// A doubt is for how long a way that has broken isn't used again, though it works, the longer the more often it breaks: each time costs half a second until it is noticed.
type doubt struct {
	pause time.Duration
	until time.Time
}

// broke notes a break of what has worked since some time.
func (d *doubt) broke(since, now time.Time) {
	if !since.IsZero() && now.Sub(since) > steadyFor {
		d.pause = 0
	}
	d.pause = min(max(2*d.pause, beat), maxDoubt)
	d.until = now.Add(d.pause)
}

// silentFor is how long the path has been silent.
func (p *path) silentFor(now time.Time) time.Duration {
	if p.health.silentAt.IsZero() {
		return 0
	}
	return now.Sub(p.health.silentAt)
}

// check judges the path by what its probes say, sends those that are due, and returns when to look again.
func (p *path) check(now time.Time) time.Duration {
	pulse := p.pulse(now)
	busy := p.link.usable(p) && now.UnixNano()-p.link.lastWrite.Load() < int64(busyFor)
	p.judge(pulse, now)
	wait := p.nextBeat(pulse, busy, now)
	if since := now.Sub(p.health.probedAt); since < wait {
		return wait - since
	}
	p.health.probedAt = now
	if wait == idleBeat {
		p.sender.forget()
	}
	p.probe(now, false)
	if p.fullDue(pulse, busy, now) {
		p.health.fullAt = now
		p.probe(now, true)
	}
	return wait
}

// judge decides whether the path is good.
func (p *path) judge(pulse pulse, now time.Time) {
	h := &p.health
	if whole := pulse.fullHeard && !pulse.fullSilent; !p.carrier.reliable() && whole != p.whole.Load() {
		p.whole.Store(whole)
		p.link.cfg.Log.Debug("direct path", "whole packets", whole)
	}
	switch {
	case pulse.silent:
		if h.good {
			h.doubt.broke(h.goodAt, now)
		}
		if h.silentAt.IsZero() {
			h.silentAt = now
		}
		h.good, h.why = false, "the path has gone silent"
	case pulse.loss > maxLoss:
		h.good, h.why = false, "the path loses too many packets"
	case pulse.heard:
		h.silentAt = time.Time{}
		if !h.good && now.After(h.doubt.until) {
			h.good, h.goodAt = true, now
		}
	}
}

// nextBeat is how long to wait from one probe to the next.
func (p *path) nextBeat(pulse pulse, busy bool, now time.Time) time.Duration {
	switch {
	case p.silentFor(now) > silentWithin:
		return slowBeat
	case busy, pulse.waiting, !pulse.heard, !p.health.good:
		return beat
	}
	return idleBeat
}

// fullDue tells whether to look if the largest packets fit.
func (p *path) fullDue(pulse pulse, busy bool, now time.Time) bool {
	const firstTries = 4
	switch {
	case p.carrier.reliable():
		return false
	case p.whole.Load(), pulse.fullSent < firstTries:
		return true
	}
	return busy && now.Sub(p.health.fullAt) > fullBeat
}
