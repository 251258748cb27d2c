package serve

import (
	"context"
	"sync"
	"time"

	"git-remote-xmpp/internal/schedule"
)

// queueTick is how often a waiting push is told its place, changed or not: a sign of life.
const queueTick = 10 * time.Second

// A pushQueue lets one push of a client run at a time.
type pushQueue struct {
	mu     sync.Mutex
	queue  schedule.Queue
	places map[schedule.Ticket]chan struct{} // told when the place has changed
}

// enter waits until it is the client's turn, and tells its place while it waits. leave must be called at the end of the push. The error is
// schedule.ErrBusy, or why ctx ended or tell failed.
func (p *pushQueue) enter(ctx context.Context, client string, tell func(before int) error) (leave func(), err error) {
	ticket, moved, err := p.add(client)
	if err != nil {
		return nil, err
	}
	leave = func() { p.remove(ticket) }
	ticker := time.NewTicker(queueTick)
	defer ticker.Stop()
	for {
		before := p.before(ticket)
		if before == 0 {
			return leave, nil
		}
		if err := tell(before); err != nil {
			leave()
			return nil, err
		}
		select {
		case <-moved:
		case <-ticker.C:
		case <-ctx.Done():
			leave()
			return nil, context.Cause(ctx)
		}
	}
}

func (p *pushQueue) add(client string) (schedule.Ticket, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ticket, err := p.queue.Add(client)
	if err != nil {
		return 0, nil, err
	}
	if p.places == nil {
		p.places = make(map[schedule.Ticket]chan struct{})
	}
	moved := make(chan struct{}, 1)
	p.places[ticket] = moved
	return ticket, moved, nil
}

func (p *pushQueue) before(t schedule.Ticket) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queue.Before(t)
}

func (p *pushQueue) remove(t schedule.Ticket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.places, t)
	for _, other := range p.queue.Remove(t) {
		select {
		case p.places[other] <- struct{}{}:
		default:
		}
	}
}
