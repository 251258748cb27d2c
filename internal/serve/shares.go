package serve

import (
	"sync"

	"git-remote-xmpp/internal/peers"
)

// shares bounds what each key holds of something, so that no peer takes all of it. The zero value is ready for use.
type shares struct {
	mu   sync.Mutex
	held map[peers.Key]int
}

// take takes one more for a key, of at most most; release gives it back. ok is false if the key holds that many.
func (s *shares) take(key peers.Key, most int) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[key] >= most {
		return nil, false
	}
	if s.held == nil {
		s.held = make(map[peers.Key]int)
	}
	s.held[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.held[key]--; s.held[key] == 0 {
			delete(s.held, key)
		}
	}, true
}
