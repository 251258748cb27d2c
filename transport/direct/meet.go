package direct

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"
)

const (
	// meetAfter is how long a search for addresses has until the ends try to meet at a proxy. When a path goes silent they try at once.
	meetAfter = 1500 * time.Millisecond
	// minMeetRetry is the time between tries; it grows up to maxRetry.
	minMeetRetry = 2 * time.Second
	// meetSilentWithin is how long a stream may be silent until it is given up. Who has joined waits for as long as a try may take, for it is the other side that has it activated.
	meetSilentWithin = 4 * time.Second
	// meetLinger is how long a stream is kept after there is a better path.
	meetLinger = 10 * time.Second
)

// hearMeeting hands a message on, or begins a try that the peer has begun.
func (l *Link) hearMeeting(ctx context.Context, s signal) {
	if !l.cfg.Controlling && s.generation > l.turn.meetGeneration && s.kind != signalJoin {
		l.meet(ctx, s.generation)
	}
	if l.meeting != nil && s.generation == l.meeting.generation {
		l.meeting.hear(s)
	}
}

// meet begins a try to meet at a proxy.
func (l *Link) meet(ctx context.Context, generation uint32) {
	l.dropMeeting()
	l.turn.meetGeneration = generation
	l.meeting = newMeeting(ctx, l, generation)
}

// dropMeeting ends the present one.
func (l *Link) dropMeeting() {
	if l.meeting == nil {
		return
	}
	m := l.meeting
	l.meeting = nil
	if m.path != nil && l.usable(m.path) {
		l.choose()
	}
	m.close()
}

// lookMeeting does what is due for a stream through a proxy, and returns when to look again.
func (l *Link) lookMeeting(ctx context.Context, now time.Time) time.Duration {
	if l.meeting != nil {
		return l.lookStream(now)
	}
	if !l.cfg.Controlling || l.cfg.Proxy == nil || l.direct() {
		return lookAt
	}
	if wait := max(l.searchedAt().Add(meetAfter).Sub(now), l.turn.meetAt.Sub(now)); wait > 0 {
		return min(wait, lookAt)
	}
	if !l.turn.begins.take(now, meetStarts) {
		return lookAt
	}
	l.meet(ctx, l.turn.meetGeneration+1)
	return lookAt // it pokes
}

// direct tells whether there is a path that needs no proxy.
func (l *Link) direct() bool {
	return l.search != nil && l.search.path != nil && l.search.path.health.good
}

// searchedAt is since when a path is looked for, for the first time or for what is about to become long. A path that has gone silent was searched for long ago.
func (l *Link) searchedAt() time.Time {
	if l.turn.failed || l.search == nil || l.search.path != nil && !l.search.path.health.silentAt.IsZero() {
		return time.Time{}
	}
	return l.search.began
}

// lookStream looks after the meeting that there is.
func (l *Link) lookStream(now time.Time) time.Duration {
	m := l.meeting
	switch {
	case !m.over():
		return lookAt // it pokes
	case m.err == nil && m.stream == nil:
		m.stream, m.metAt = newStream(m.conn, l.poke), now
		m.path, m.err = newPath(l, m.stream, newSealer(l.cfg.Controlling, m.ours, m.theirs))
	case m.stream != nil && m.stream.over() && l.direct():
		l.dropMeeting()
		return lookAt
	case m.stream != nil && m.stream.over():
		m.err = errors.New("it was cut off")
	}
	if m.err != nil {
		return l.meetAgain(m.err, now)
	}
	wait := m.path.check(now)
	switch {
	case m.path.health.good:
		l.turn.meetRetry = 0
		l.noStream.Store(nil)
	case m.silent(now):
		return l.meetAgain(errors.New("it has gone silent"), now)
	}
	if l.direct() && now.Sub(l.search.path.health.goodAt) > meetLinger {
		l.dropMeeting()
	}
	return wait
}

// silent tells whether nothing has been heard over the stream for too long.
func (m *meeting) silent(now time.Time) bool {
	if !m.path.health.goodAt.IsZero() {
		return m.path.silentFor(now) > meetSilentWithin
	}
	patience := meetWithin
	if m.activated {
		patience = meetSilentWithin
	}
	return now.Sub(m.metAt) > patience
}

// leave ends a meeting of which the machine's address is gone.
func (l *Link) leave(addresses string) {
	if l.meeting == nil || l.meeting.stream == nil {
		return
	}
	host, _, err := net.SplitHostPort(l.meeting.conn.LocalAddr().String())
	if err == nil && !strings.Contains(" "+addresses, " "+host+"/") {
		l.dropMeeting()
	}
}

// meetAgain gives a meeting up, and returns when to look again.
func (l *Link) meetAgain(why error, now time.Time) time.Duration {
	l.cfg.Log.Debug("no bytestream", "err", why)
	text := "no bytestream: " + oneLine(why)
	l.noStream.Store(&text)
	l.dropMeeting()
	l.turn.meetRetry = min(max(2*l.turn.meetRetry, minMeetRetry), maxRetry)
	l.turn.meetAt = now.Add(l.turn.meetRetry)
	return lookAt
}
