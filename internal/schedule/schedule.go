// Package schedule decides which push runs and which waits.
//
// It is a pure state machine: events in, decisions out. It has no goroutines, no
// clock and no I/O, knows neither git nor the network, and isn't safe for use by several
// goroutines at once: its owner locks.
package schedule

import "errors"

// MaxWaiting is how many pushes of one client may wait.
const MaxWaiting = 64

// ErrBusy says that too many pushes of a client wait already.
var ErrBusy = errors.New("too many pushes wait")

// A Ticket stands for one push in a [Queue].
type Ticket uint64

// A Queue runs one push at a time for each client, in the order of their coming. Clients don't wait
// for each other. The zero value is ready for use.
type Queue struct {
	last    Ticket
	clients map[string][]Ticket // the first one runs
	owner   map[Ticket]string
}

// Add puts a push of a client in line.
func (q *Queue) Add(client string) (Ticket, error) {
	if len(q.clients[client]) > MaxWaiting {
		return 0, ErrBusy
	}
	if q.clients == nil {
		q.clients = make(map[string][]Ticket)
		q.owner = make(map[Ticket]string)
	}
	q.last++
	q.clients[client] = append(q.clients[client], q.last)
	q.owner[q.last] = client
	return q.last, nil
}

// Before is how many pushes of the same client come before this one; at 0 it may run. It is -1 for
// a ticket that isn't in line.
func (q *Queue) Before(t Ticket) int {
	for i, other := range q.clients[q.owner[t]] {
		if other == t {
			return i
		}
	}
	return -1
}

// Remove takes a push out of the line: it has ended, or was given up while it waited. It returns the tickets of those behind it,
// whose places have changed.
func (q *Queue) Remove(t Ticket) (moved []Ticket) {
	i := q.Before(t)
	if i < 0 {
		return nil
	}
	client := q.owner[t]
	line := q.clients[client]
	moved = append(moved, line[i+1:]...)
	delete(q.owner, t)
	if len(line) == 1 {
		delete(q.clients, client)
		return moved
	}
	q.clients[client] = append(append([]Ticket{}, line[:i]...), moved...)
	return moved
}

// Len is how many pushes run or wait.
func (q *Queue) Len() int { return len(q.owner) }
