package serve

import (
	"time"

	"git-remote-xmpp/internal/schedule"
)

// TurnsNow is what runs and what waits. The server must be up.
func (s *Server) TurnsNow() []schedule.Entry {
	s.turns.mu.Lock()
	defer s.turns.mu.Unlock()
	return s.turns.scheduler.Snapshot()
}

// SetAcceptDelay changes how long an accept waits for what git says first.
func SetAcceptDelay(d time.Duration) (old time.Duration) {
	old, acceptDelay = acceptDelay, d
	return old
}

// HoldTurns keeps everybody from what runs and waits.
func (s *Server) HoldTurns() (free func()) {
	s.turns.mu.Lock()
	return s.turns.mu.Unlock
}
