package serve

import (
	"context"
	"slices"
	"time"

	"git-remote-xmpp/internal/schedule"
	"git-remote-xmpp/protocol"
)

const (
	// yieldAfter is how long a push or fetch whose peer has gone offline goes on while another one of the same client waits for it, and
	// yieldPlaceAfter while one of another client waits for its place: the program of the first may have been killed. While none waits, the
	// peer has all the time that its connection is kept.
	yieldAfter      = 3 * time.Second
	yieldPlaceAfter = 10 * time.Second
	// yieldPause is how often that is looked at.
	yieldPause = 500 * time.Millisecond
)

// yield cancels a job that stands in the way of another one, and that nobody may be there for any more, or somebody too slow.
func (j *job) yield(ctx context.Context, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(yieldPause)
	defer ticker.Stop()
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if slow := j.pace.slow(slowBytesPerSecond/j.turn.running(), j.timeout); slow && j.turn.wantedByOthers() {
			cancel(protocol.CodeTimeout)
			return
		}
		switch {
		case !j.away():
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case j.turn.wanted(time.Since(since)):
			cancel(protocol.CodeCancelled)
			return
		}
	}
}

// away tells whether the peer has gone offline.
func (j *job) away() bool { return j.client.conn.Away() }

// wanted tells whether something waits for a run to end whose peer has been away for so long. It must be of a peer
// that is there: a network that is gone takes both away.
func (t *turn) wanted(away time.Duration) bool {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	own, others := t.turns.scheduler.Behind(t.ticket)
	return away >= yieldAfter && slices.ContainsFunc(own, t.turns.present) || away >= yieldPlaceAfter && slices.ContainsFunc(others, t.turns.present)
}

// wantedByOthers tells whether something waits for a run to end, or for its place, whose peer is there.
func (t *turn) wantedByOthers() bool {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	own, others := t.turns.scheduler.Behind(t.ticket)
	return slices.ContainsFunc(slices.Concat(own, others), t.turns.present)
}

// present tells whether the peer of one that waits is there. t.mu is held.
func (t *turns) present(ticket schedule.Ticket) bool { return !t.entrants[ticket].away() }

// running is how many run beside a run and with it.
func (t *turn) running() int {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	return max(1, t.turns.scheduler.Running(t.ticket))
}
