package transport

import (
	"sync"
	"time"
)

const (
	// leastRate is the lowest limit, in bytes per second, that a rateLimit takes by itself. Who was slower wasn't too fast.
	leastRate = 2000
	// rateWindow is how long the rate is taken over at which something was written.
	rateWindow = time.Second
	// sameOffence is how long further complaints are about what was written before the limit was lowered.
	sameOffence = 3 * time.Second
	// A limit that was lowered to so much grows by 1/growSteps of it each growEvery in which something is written, to liftAt times as much, where it goes.
	growEvery = time.Second
	growSteps = 60
	liftAt    = 4
)

// A rateLimit has writers write no more than so many bytes per second, for the sake of a server that others use, too: the limit of the settings, and less for a while after the
// server has said that it was too much. It is halved at once and grows slowly (AIMD, as in RFC 5681).
type rateLimit struct {
	most int // of the settings, bytes per second; 0: no limit

	mu      sync.Mutex
	now     int // what holds, if it was lowered
	lowered int // to so much
	since   time.Time
	grown   time.Time
	free    time.Time // when what was written is paid for

	// How much was written in the present window, and per second in the one before.
	window       time.Time
	bytes, speed int
}

// wait waits until n bytes that have just been written are paid for. It is false if done is closed before.
func (l *rateLimit) wait(done <-chan struct{}, n int, now time.Time) bool {
	wait := l.pay(n, now)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done:
		return false
	}
}

// pay notes n bytes, and returns how long it takes until they are paid for.
func (l *rateLimit) pay(n int, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := now.Sub(l.window); age > rateWindow {
		l.speed = 0
		if age < 2*rateWindow {
			l.speed = int(float64(l.bytes) / age.Seconds())
		}
		l.window, l.bytes = now, 0
	}
	l.bytes += n
	l.growLocked(now)
	limit := l.limitLocked()
	if limit == 0 {
		return 0
	}
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(n) * time.Second / time.Duration(limit))
	return l.free.Sub(now)
}

func (l *rateLimit) growLocked(now time.Time) {
	if l.now == 0 || now.Sub(l.grown) < growEvery {
		return
	}
	l.grown = now
	l.now += max(l.lowered/growSteps, 1)
	if l.now >= liftAt*l.lowered || l.most > 0 && l.now >= l.most {
		l.now = 0
	}
}

func (l *rateLimit) limitLocked() int {
	if l.now > 0 {
		return l.now
	}
	return l.most
}

// lower halves the rate at which something is written. It returns the limit from now on, or 0 if nothing was changed: little was written, or the complaint is one that was heard already.
func (l *rateLimit) lower(now time.Time) (limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rate := l.speed
	switch age := now.Sub(l.window); {
	case age > 2*rateWindow:
		rate = 0
	default:
		rate = max(rate, int(float64(l.bytes)/max(age, rateWindow).Seconds()))
	}
	if limit := l.limitLocked(); limit > 0 {
		rate = min(rate, limit)
	}
	if rate <= leastRate || now.Sub(l.since) < sameOffence {
		return 0
	}
	l.now = max(rate/2, leastRate)
	l.lowered, l.since, l.grown = l.now, now, now
	return l.now
}

// tooFast tells whether an error's condition may mean that we wrote too fast.
func tooFast(condition string) bool {
	return condition == "resource-constraint" || condition == "policy-violation"
}
