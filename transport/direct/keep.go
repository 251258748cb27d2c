package direct

import (
	"context"
	"time"
)

// keep looks after the paths: it begins tries, uses what works, and stops using what doesn't.
func (l *Link) keep(ctx context.Context, heard <-chan signal) error {
	defer l.drop()
	starts := budget{most: burstStarts, every: startEvery}
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.turn.addresses = interfaceAddrs()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-heard:
			if s.kind.begins() && !starts.take(time.Now(), 1) {
				return errTooMany
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
		if l.search != nil && s.generation == l.search.generation {
			return l.search.meet(s)
		}
	case signalCandidate:
		if l.search != nil && s.generation == l.search.generation {
			return l.search.add(s.candidate)
		}
	case signalAgain:
		if l.cfg.Controlling && s.generation == l.turn.generation {
			l.turn.retryAt = l.turn.lastStart.Add(minRetry)
		}
	case signalStream, signalJoin, signalNone:
		l.hearMeeting(ctx, s)
	}
	return nil
}

// look does what is due now, and returns when to look again.
func (l *Link) look(ctx context.Context, now time.Time) time.Duration {
	l.watchAddresses(now)
	wait := min(l.lookSearch(ctx, now), l.lookMeeting(ctx, now))
	l.choose()
	return wait
}

// choose has packets go the best way that is good.
func (l *Link) choose() {
	var best *path
	switch {
	case l.search != nil && l.search.path != nil && l.search.path.health.good:
		best = l.search.path
	case l.meeting != nil && l.meeting.path != nil && l.meeting.path.health.good:
		best = l.meeting.path
	}
	l.use(best)
}

// use has packets go over p; nil: over none.
func (l *Link) use(p *path) {
	before := l.current.Swap(p)
	if before == p {
		return
	}
	l.lastWrite.Store(0) // what is sent next pokes, and p is probed at once
	if before != nil {
		_, address := before.carrier.describe()
		l.cfg.Log.Debug("direct path not used any more", "address", address, "why", *l.why.Load(), "silent", before.health.why)
	}
	if p != nil {
		kind, address := p.carrier.describe()
		l.cfg.Log.Debug("direct path used", "address", address, "relayed", kind == wayRelayed, "bytestream", kind == wayBytestream)
	}
	if l.cfg.Changed != nil {
		l.cfg.Changed()
	}
}

// drop ends all tries.
func (l *Link) drop() {
	l.because("the connection has ended")
	l.use(nil)
	l.dropSearch()
	l.dropMeeting()
}
