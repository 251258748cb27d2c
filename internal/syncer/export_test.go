package syncer

// Waiting is for how many links something waits, and whether nothing is under way.
func (s *Syncer) Waiting() (waiting int, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle = true
	for _, r := range s.repos {
		idle = idle && !r.scanning
		for _, l := range r.links {
			idle = idle && !l.running
			if !l.todo.empty() {
				waiting++
			}
		}
	}
	return waiting, idle
}

// Remembered is how much is kept in memory of what peers have said.
func (s *Syncer) Remembered() (names int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.repos {
		for _, l := range r.links {
			names += len(l.has) + len(l.theirs) + len(l.todo.push)
		}
	}
	return names
}
