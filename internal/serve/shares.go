package serve

import "sync"

// shares bounds what each K holds of something, so that no peer takes all of it. The zero value is ready for use.
type shares[K comparable] struct {
	mu    sync.Mutex
	total int
	held  map[K]int
}

// take takes one more for a key, of at most most, and at most all over all keys; release gives it back. ok is false if there are that many.
func (s *shares[K]) take(key K, most, all int) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[key] >= most || s.total >= all {
		return nil, false
	}
	if s.held == nil {
		s.held = make(map[K]int)
	}
	s.held[key]++
	s.total++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.total--
		if s.held[key]--; s.held[key] == 0 {
			delete(s.held, key)
		}
	}, true
}
