package transport

import (
	"context"
	"time"
)

// A rateLimit has a writer write no more than so many bytes per second, for the sake of a server that others use, too.
type rateLimit struct {
	bytesPerSecond int       // 0: no limit
	free           time.Time // when what was written is paid for
}

// wait waits until n bytes that have just been written are paid for. It is false if ctx is done before.
func (l *rateLimit) wait(ctx context.Context, n int, now time.Time) bool {
	if l.bytesPerSecond == 0 {
		return true
	}
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(n) * time.Second / time.Duration(l.bytesPerSecond))
	timer := time.NewTimer(l.free.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
