package serve

import (
	"sync"
	"time"
)

// An idleTimer calls a function when nothing has been going on for a while.
type idleTimer struct {
	mu    sync.Mutex
	busy  int
	after time.Duration
	timer *time.Timer
}

func newIdleTimer(after time.Duration, idle func()) *idleTimer {
	return &idleTimer{after: after, timer: time.AfterFunc(after, idle)}
}

// begin says that something goes on, end that it has ended.
func (i *idleTimer) begin() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.busy++
	i.timer.Stop()
}

func (i *idleTimer) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.busy--; i.busy == 0 {
		i.timer.Reset(i.after)
	}
}

// running is how many things go on.
func (i *idleTimer) running() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.busy
}

func (i *idleTimer) stop() { i.timer.Stop() }
