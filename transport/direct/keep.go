package direct

import (
	"context"
	"time"
)

// keep looks after the path: it begins tries, uses what works, and stops using what doesn't.
func (l *Link) keep(ctx context.Context, heard <-chan signal) error {
	defer l.drop("the connection has ended")
	starts, lastStart := float64(burstStarts), time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.turn.addresses = interfaceAddrs()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-heard:
			if s.kind == signalStart {
				now := time.Now()
				starts, lastStart = min(burstStarts, starts+now.Sub(lastStart).Seconds()/startEvery.Seconds()), now
				if starts--; starts < 0 {
					return errTooMany
				}
			}
			if err := l.hear(ctx, s); err != nil {
				return err
			}
		case <-l.events:
		case <-timer.C:
		}
		if l.full.Load() {
			return errStuck
		}
		timer.Reset(l.look(ctx, time.Now()))
	}
}

// hear does what a message of the peer's says.
func (l *Link) hear(ctx context.Context, s signal) error {
	switch s.kind {
	case signalStart:
		if !l.cfg.Controlling && s.generation > l.turn.generation {
			l.begin(ctx, s.generation)
		}
		if l.path == nil || s.generation != l.path.generation {
			return nil
		}
		return l.path.meet(s)
	case signalCandidate:
		if l.path != nil && s.generation == l.path.generation {
			return l.path.add(s.candidate)
		}
	case signalAgain:
		if l.cfg.Controlling && s.generation == l.turn.generation {
			l.turn.retryAt = l.turn.lastStart.Add(minRetry)
		}
	}
	return nil
}

// unreachable is why there is no path after a try that has found none.
const unreachable = "neither side's packets reach the other's addresses"

// begin makes a new try.
func (l *Link) begin(ctx context.Context, generation uint32) {
	why := "a direct path is looked for"
	if l.turn.failed {
		why = unreachable
	}
	l.drop(why)
	t := &l.turn
	t.generation, t.lastStart, t.silentAt, t.probedAt, t.fullAt = generation, time.Now(), time.Time{}, time.Time{}, time.Time{}
	t.bad, t.badUntil = 0, time.Time{}
	var servers []Server
	if l.cfg.Servers != nil {
		servers = resolve(ctx, l.cfg.Servers(ctx))
	}
	p, err := newPath(l, generation, servers)
	if err != nil {
		l.because("no path can be looked for: " + err.Error())
		l.cfg.Log.Debug("no direct path", "err", err)
		return
	}
	l.path = p
}

// drop ends the present try.
func (l *Link) drop(why string) {
	l.unuse(why)
	if l.path != nil {
		l.path.close()
		l.path = nil
	}
}

func (l *Link) use(p *path) {
	if l.current.Swap(p) != p {
		l.cfg.Log.Debug("direct path used", "address", p.remoteAddr(), "relayed", p.relayed())
		l.changed()
	}
}

func (l *Link) unuse(why string) {
	l.because(why)
	if p := l.current.Swap(nil); p != nil {
		l.cfg.Log.Debug("direct path not used any more", "address", p.remoteAddr(), "why", why)
		l.changed()
	}
}

func (l *Link) changed() {
	if l.cfg.Changed != nil {
		l.cfg.Changed()
	}
}

// look does what is due now, and returns when to look again.
func (l *Link) look(ctx context.Context, now time.Time) time.Duration {
	l.watchAddresses(now)
	if l.due(now) {
		l.again(ctx)
	}
	p := l.path
	if p == nil || p.conn == nil || !p.connected.Load() {
		return l.awaitPath(now)
	}
	pulse := p.pulse(now)
	busy := now.UnixNano()-l.lastWrite.Load() < int64(busyFor)
	l.judge(p, pulse, now)
	wait := l.nextBeat(pulse, busy)
	if since := now.Sub(l.turn.probedAt); since < wait {
		return wait - since
	}
	l.turn.probedAt = now
	if wait == idleBeat {
		p.sender.forget()
	}
	p.probe(now, false)
	if l.fullDue(pulse, p, busy, now) {
		l.turn.fullAt = now
		p.probe(now, true)
	}
	return wait
}

// judge decides whether the path is used, by what its probes say.
func (l *Link) judge(p *path, pulse pulse, now time.Time) {
	t := &l.turn
	if whole := pulse.fullHeard && !pulse.fullSilent; whole != p.whole.Load() {
		p.whole.Store(whole)
		l.cfg.Log.Debug("direct path", "whole packets", whole)
	}
	switch {
	case pulse.silent:
		if t.silentAt.IsZero() {
			t.silentAt = now
			t.bad = min(max(2*t.bad, beat), slowBeat*10)
			t.badUntil = now.Add(t.bad)
		}
		l.unuse("the path has gone silent")
	case pulse.loss > maxLoss:
		l.unuse("the path loses too many packets")
	case pulse.heard && now.After(t.badUntil):
		t.silentAt, t.retry, t.retryAt, t.failed = time.Time{}, 0, time.Time{}, false
		l.use(p)
	}
}

// nextBeat is how long to wait from one probe to the next.
func (l *Link) nextBeat(pulse pulse, busy bool) time.Duration {
	silent := l.turn.silentAt
	switch {
	case !silent.IsZero() && time.Since(silent) > silentWithin:
		return slowBeat
	case busy, pulse.waiting, !pulse.heard, !l.Up():
		return beat
	}
	return idleBeat
}

// fullDue tells whether to look if the largest packets fit.
func (l *Link) fullDue(pulse pulse, p *path, busy bool, now time.Time) bool {
	const firstTries = 4
	switch {
	case p.whole.Load(), pulse.fullSent < firstTries:
		return true
	}
	return busy && now.Sub(l.turn.fullAt) > fullBeat
}

// awaitPath gives up a try that has lasted too long, and returns when to look again.
func (l *Link) awaitPath(now time.Time) time.Duration {
	if l.path != nil {
		if left := connectWithin - now.Sub(l.path.began); left > 0 {
			return min(left, lookAt)
		}
		l.turn.failed = true
		l.drop(unreachable)
	}
	return min(max(l.turn.retryAt.Sub(now), beat), lookAt)
}

// due tells whether it is time for a new try, and notes when the next one may be.
func (l *Link) due(now time.Time) bool {
	t := &l.turn
	if t.retryAt.IsZero() {
		failed := l.path == nil || !t.silentAt.IsZero() && now.Sub(t.silentAt) > silentWithin
		if !failed {
			return false
		}
		t.retryAt = t.lastStart.Add(t.retry)
	}
	if now.Before(t.retryAt) {
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

// watchAddresses has a new try made at once after a change of the machine's addresses, but for a path that works and isn't relayed.
func (l *Link) watchAddresses(now time.Time) {
	t := &l.turn
	if now.Sub(t.lookedAt) < lookAt {
		return
	}
	t.lookedAt = now
	if addresses := interfaceAddrs(); addresses != t.addresses {
		t.addresses, t.retry = addresses, 0
		if p := l.current.Load(); p == nil || p.relayed() {
			l.cfg.Log.Debug("the network has changed")
			t.retryAt = t.lastStart.Add(minRetry)
		}
	}
}
