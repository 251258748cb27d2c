package transport

import (
	"context"
	"errors"
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

// silence is for how long nothing has come from the server.
func (s *session) silence() time.Duration { return time.Since(time.Unix(0, s.heard.Load())) }

// Away tells whether the peer has gone offline, by what the servers say; its connections are kept for a while in case that it comes back.
func (c *Conn) Away() bool { return c.endpoint.book.away(c.peer) }

// watch pings a silent server and gives up one that stays silent.
func (s *session) watch(ctx context.Context) error {
	ticker := time.NewTicker(pingAfter / 6)
	defer ticker.Stop()
	pinged := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		silence := s.silence()
		switch {
		case silence > deadAfter:
			return errors.New("the server is silent")
		case silence > pingAfter && !pinged:
			s.ask("", pingPayload, func(*stanzaError) {})
			pinged = true
		case silence <= pingAfter:
			pinged = false
		}
	}
}
