package serve

import (
	"context"
	"time"

	"git-remote-xmpp/internal/schedule"
	"git-remote-xmpp/protocol"
)

const (
	// yieldAfter is how long a push whose peer has gone offline goes on while another one of the same client waits for it:
	// the program of the first may have been killed. While none waits, the peer has all the time that its connection is kept.
	yieldAfter = 3 * time.Second
	// yieldPause is how often that is looked at.
	yieldPause = 500 * time.Millisecond
)

// yield cancels a push that stands in the way of another one of its client, and that nobody may be there for any more.
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
		case time.Since(since) >= yieldAfter && j.server.turns.wanted(j.initiation()):
			cancel(protocol.CodeCancelled)
			return
		}
	}
}

// wanted tells whether something of the same client and side waits, of a peer that is there: a network that is
// gone takes both away.
func (t *turns) wanted(i schedule.Initiation) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ticket := range t.waiting {
		other := t.jobs[ticket]
		if o := other.initiation(); o.Client == i.Client && o.Side == i.Side && !other.client.conn.Away() {
			return true
		}
	}
	return false
}
