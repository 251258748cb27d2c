package serve

import (
	"context"
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

// yield cancels a job that stands in the way of another one, and that nobody may be there for any more.
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
		switch {
		case !j.client.conn.Away():
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case j.server.turns.wanted(j.initiation(), time.Since(since)):
			cancel(protocol.CodeCancelled)
			return
		}
	}
}

// wanted tells whether something on the same side waits for this one, whose peer has been away for so long, to end. It must be of a peer
// that is there: a network that is gone takes both away.
func (t *turns) wanted(i schedule.Initiation, away time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	running := make(map[string]bool) // clients that have a push running: their next one waits for that
	for ticket, j := range t.jobs {
		if r := j.initiation(); t.waiting[ticket] == nil && r.Side == i.Side && r.Side != schedule.Fetching {
			running[r.Client] = true
		}
	}
	for ticket := range t.waiting {
		other := t.jobs[ticket]
		o := other.initiation()
		if o.Side != i.Side || other.client.conn.Away() {
			continue
		}
		if o.Client == i.Client && away >= yieldAfter || !running[o.Client] && away >= yieldPlaceAfter {
			return true
		}
	}
	return false
}
