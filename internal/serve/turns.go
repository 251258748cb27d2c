package serve

import (
	"context"
	"sync"
	"time"

	"git-remote-xmpp/internal/schedule"
	"git-remote-xmpp/protocol"
)

// turnTick is how often one that waits is told its place, changed or not: a sign of life.
const turnTick = 10 * time.Second

// Limits of what waits. One that waits holds a stream and little memory.
const (
	maxWaiting          = 512
	maxWaitingPerClient = 64
)

// turns carries out what the scheduler decides.
type turns struct {
	mu        sync.Mutex
	scheduler *schedule.Scheduler
	waiting   map[schedule.Ticket]*waiter
	entrants  map[schedule.Ticket]entrant // all that wait or run
}

// An entrant is what waits for a turn, or has it.
type entrant interface {
	// initiation is it as the scheduler knows it.
	initiation() schedule.Initiation
	// away tells whether its peer isn't there any more, as far as is known.
	away() bool
	// describe tells what the scheduler doesn't know of its entry.
	describe(e schedule.Entry, before int) Run
}

// A turn is what an entrant has while it runs.
type turn struct {
	turns  *turns
	ticket schedule.Ticket
}

// leave ends the turn.
func (t *turn) leave() { t.turns.done(t.ticket) }

// A waiter is one that isn't running yet.
type waiter struct {
	begin chan struct{} // closed when it may run
	moved chan struct{} // told when its place may have changed
}

// newTurns lets so many pushes of each direction and so many fetches run at once.
func newTurns(pushes, fetches int) *turns {
	limits := schedule.Limits{Waiting: maxWaiting, WaitingPerClient: maxWaitingPerClient}
	limits.Running[schedule.Receiving], limits.Running[schedule.Sending], limits.Running[schedule.Fetching] = pushes, pushes, fetches
	return &turns{scheduler: schedule.New(limits), waiting: make(map[schedule.Ticket]*waiter), entrants: make(map[schedule.Ticket]entrant)}
}

// enter waits until it is the entrant's turn, and tells its place while it waits. [turn.leave] must be called at the end of the run. The error is
// schedule.ErrBusy, or why ctx ended or tell failed.
func (t *turns) enter(ctx context.Context, e entrant, tell func(before int) error) (*turn, error) {
	ticket, w, err := t.add(e)
	if err != nil {
		return nil, err
	}
	own := &turn{t, ticket}
	ticker := time.NewTicker(turnTick)
	defer ticker.Stop()
	told, due := 0, false
	for {
		select {
		case <-w.begin:
			return own, nil
		default:
		}
		if before := t.before(ticket); before > 0 && (before != told || due) {
			told, due = before, false
			if err := tell(before); err != nil {
				own.leave()
				return nil, err
			}
		}
		select {
		case <-w.begin:
		case <-w.moved:
		case <-ticker.C:
			due = true
		case <-ctx.Done():
			own.leave()
			return nil, context.Cause(ctx)
		}
	}
}

func (t *turns) add(e entrant) (schedule.Ticket, *waiter, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ticket, err := t.scheduler.Add(time.Now(), e.initiation())
	if err != nil {
		return 0, nil, err
	}
	w := &waiter{begin: make(chan struct{}), moved: make(chan struct{}, 1)}
	t.waiting[ticket], t.entrants[ticket] = w, e
	t.decide()
	return ticket, w, nil
}

func (t *turns) done(ticket schedule.Ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, ticket)
	delete(t.entrants, ticket)
	t.scheduler.Done(ticket)
	t.decide()
}

// decide lets begin what may, and tells the others that they may have moved. t.mu is held.
func (t *turns) decide() {
	for _, ticket := range t.scheduler.Next(time.Now()) {
		close(t.waiting[ticket].begin)
		delete(t.waiting, ticket)
	}
	for _, w := range t.waiting {
		select {
		case w.moved <- struct{}{}:
		default:
		}
	}
}

func (t *turns) before(ticket schedule.Ticket) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.scheduler.Before(ticket)
}

// initiation is the job as the scheduler knows it. What only reads counts as a fetch, and so do Git LFS objects of a push:
// they move while the push that needs them has its turn.
func (j *job) initiation() schedule.Initiation {
	i := schedule.Initiation{Owner: j.client.key.String(), Side: schedule.Fetching, Name: j.entry.Name}
	i.Client = i.Owner + " " + j.open.Client // who only reads can name the UUID of another's; it may be empty, too
	if j.open.Service == protocol.ReceivePack {
		i.Side, i.Client = schedule.Receiving, j.open.Client
	}
	return i
}
