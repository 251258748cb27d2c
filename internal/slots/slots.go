// Package slots bounds how much is done at once for each of several, so that what one of them keeps busy with keeps the others from nothing.
package slots

import (
	"context"
	"sync"
)

// Slots are some for each K. They may be taken by any number of goroutines.
type Slots[K comparable] struct {
	most int
	mu   sync.Mutex
	of   map[K]*lot
}

// A lot is one K's: it is there as long as somebody has a slot of it, or waits for one.
type lot struct {
	slots chan struct{}
	users int
}

// New returns so many slots for each K.
func New[K comparable](most int) *Slots[K] {
	return &Slots[K]{most: most, of: make(map[K]*lot)}
}

// Take waits for a slot; release must be called at the end. The error is why ctx ended.
func (s *Slots[K]) Take(ctx context.Context, k K) (release func(), err error) {
	l := s.use(k)
	select {
	case l.slots <- struct{}{}:
		return func() {
			<-l.slots
			s.leave(k, l)
		}, nil
	case <-ctx.Done():
		s.leave(k, l)
		return nil, context.Cause(ctx)
	}
}

func (s *Slots[K]) use(k K) *lot {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.of[k]
	if l == nil {
		l = &lot{slots: make(chan struct{}, s.most)}
		s.of[k] = l
	}
	l.users++
	return l
}

func (s *Slots[K]) leave(k K, l *lot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(s.of, k)
	}
}
