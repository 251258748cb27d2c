package slots

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// One that has all of its slots waits, another doesn't, and whoever gives up has taken nothing.
func TestTake(t *testing.T) {
	s := New[string](2)
	take := func(k string) func() {
		t.Helper()
		release, err := s.Take(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	first, second, other := take("a"), take("a"), take("b")
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := s.Take(ctx, "a"); !errors.Is(err, cause) {
		t.Errorf("a third one: %v", err)
	}
	first()
	take("a")()
	second()
	other()
	if len(s.of) > 0 {
		t.Errorf("%d are left", len(s.of))
	}
}

func TestNoMoreAtOnce(t *testing.T) {
	s := New[int](3)
	var now, most atomic.Int32
	var tasks sync.WaitGroup
	for range 50 {
		tasks.Go(func() {
			for range 100 {
				release, err := s.Take(t.Context(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				now.Add(-1)
				release()
			}
		})
	}
	tasks.Wait()
	if m := most.Load(); m > 3 || len(s.of) > 0 {
		t.Errorf("%d at once, %d left", m, len(s.of))
	}
}
