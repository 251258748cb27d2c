package serve

import "git-remote-xmpp/internal/schedule"

// TurnsNow is what runs and what waits. The server must be up.
func (s *Server) TurnsNow() []schedule.Entry {
	s.turns.mu.Lock()
	defer s.turns.mu.Unlock()
	return s.turns.scheduler.Snapshot()
}
