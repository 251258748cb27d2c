package transport

import (
	"context"
	"time"
)

// freshFor is how long the server counts as there after something came from it.
const freshFor = 2 * time.Second

// Online tells whether our server is there: something has just come from it, or it answers a ping before ctx is done. A connection
// to it that a change of network has cut looks alive for a minute or more.
func (e *Endpoint) Online(ctx context.Context) bool {
	s := e.session
	if !s.out.isLinked() {
		return false
	}
	if s.silence() < freshFor {
		return true
	}
	answered := make(chan struct{})
	s.ask("", pingPayload, func(*stanzaError) { close(answered) })
	select {
	case <-answered:
		return true
	case <-s.ended.Done():
	case <-ctx.Done():
	}
	return false
}

// Linked tells whether there is a connection to our server, by what is known of it without asking.
func (e *Endpoint) Linked() bool { return e.session.out.isLinked() }

// Away tells whether the peer has gone offline, by what the servers say; its connections are kept for a while in case that it comes back.
func (c *Conn) Away() bool { return c.endpoint.book.away(c.peer) }
