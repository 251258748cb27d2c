// Package schedule decides which pushes and fetches run and which wait.
//
// It is a pure state machine: initiations, ends and a clock's readings in, decisions out. It has no goroutines, no
// clock and no I/O, knows neither git nor the network, and isn't safe for use by several goroutines at once: its owner
// locks, and carries out what it decides.
package schedule

import (
	"errors"
	"slices"
	"time"
)

// A Side is a direction of a client's. Sides don't wait for each other: two repositories that push to each other at the
// same moment both run.
type Side uint8

// The sides.
const (
	Receiving Side = iota // a push of the client's to us
	Sending               // a push of ours to the client
	Fetching              // a fetch of the client's from us; a client may have several at once
	sides
)

var sideNames = [sides]string{"receiving", "sending", "fetching"}

// String is the side in a word.
func (s Side) String() string { return sideNames[s] }

// Limits bound what runs and what waits. All are at least 1.
type Limits struct {
	Running          [sides]int // at once, over all clients, for each side
	Waiting          int        // on one side
	WaitingPerClient int        // on one side
}

// ErrBusy says that too many wait already.
var ErrBusy = errors.New("too many wait")

// A Ticket stands for one initiation in a [Scheduler].
type Ticket uint64

// An Initiation asks for one run.
type Initiation struct {
	Client string // UUID of the repository on the other side, or whatever else tells clients apart
	Owner  string // the key that the client belongs to: an owner of many clients can't take all that may run at once
	Side   Side
	Name   string // for people: what it is about
}

// An Entry is an initiation as it stands.
type Entry struct {
	Initiation
	Ticket  Ticket
	Running bool
	Since   time.Time // when it came, or began to run
}

// A client's lane on one side.
type lane struct {
	waiting []*Entry // in the order of their coming
	running int
}

// A Scheduler holds all initiations that wait or run. Use [New].
type Scheduler struct {
	limits  Limits
	last    Ticket
	entries map[Ticket]*Entry
	sides   [sides]sideState
}

// sideState is what there is on one side. Whose turn it is goes round: a client that has been served stands behind all that
// wait, and so does one that comes anew.
type sideState struct {
	lanes   map[string]*lane
	turn    []*lane // those with something waiting, whose turn is next first
	waiting int
	running int
	owners  map[string]int // how many run, by owner
}

// New makes a scheduler.
func New(limits Limits) *Scheduler {
	s := &Scheduler{limits: limits, entries: make(map[Ticket]*Entry)}
	for i := range s.sides {
		s.sides[i].lanes = make(map[string]*lane)
		s.sides[i].owners = make(map[string]int)
	}
	return s
}

// Add takes in an initiation. It waits until [Scheduler.Next] names it. The error is [ErrBusy].
func (s *Scheduler) Add(now time.Time, i Initiation) (Ticket, error) {
	state := &s.sides[i.Side]
	l := state.lanes[i.Client]
	if state.waiting >= s.limits.Waiting || l != nil && len(l.waiting) >= s.limits.WaitingPerClient {
		return 0, ErrBusy
	}
	if l == nil {
		l = &lane{}
		state.lanes[i.Client] = l
	}
	if len(l.waiting) == 0 {
		state.turn = append(state.turn, l)
	}
	e := s.newEntry(now, i)
	l.waiting = append(l.waiting, e)
	state.waiting++
	return e.Ticket, nil
}

func (s *Scheduler) newEntry(now time.Time, i Initiation) *Entry {
	s.last++
	e := &Entry{Initiation: i, Ticket: s.last, Since: now}
	s.entries[e.Ticket] = e
	return e
}

// Next returns what is to run now, and counts it as running. It is empty if nothing more may run before something ends.
func (s *Scheduler) Next(now time.Time) []Ticket {
	var begun []Ticket
	for side := range sides {
		for {
			e := s.pick(side)
			if e == nil {
				break
			}
			e.Running, e.Since = true, now
			begun = append(begun, e.Ticket)
		}
	}
	return begun
}

// pick takes the next entry of one side that may run out of those that wait.
func (s *Scheduler) pick(side Side) *Entry {
	state := &s.sides[side]
	if state.running >= s.limits.Running[side] {
		return nil
	}
	at := slices.IndexFunc(state.turn, func(l *lane) bool { return s.mayRun(side, l) })
	if at < 0 {
		return nil
	}
	l := state.turn[at]
	state.turn = slices.Delete(state.turn, at, at+1)
	e := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	if len(l.waiting) > 0 {
		state.turn = append(state.turn, l)
	}
	l.running++
	state.waiting--
	state.running++
	state.owners[e.Owner]++
	return e
}

// mayRun tells whether the first that waits in a lane may run: one push of a client at a time, and the last place is
// never for an owner that has all others, so that one owner can't keep everybody else waiting.
func (s *Scheduler) mayRun(side Side, l *lane) bool {
	if side != Fetching && l.running > 0 {
		return false
	}
	most := s.limits.Running[side]
	return most == 1 || s.sides[side].owners[l.waiting[0].Owner] < most-1
}

// Done takes an initiation out: its run has ended, or it was given up while it waited. It is no error if
// the ticket is void.
func (s *Scheduler) Done(t Ticket) {
	e := s.entries[t]
	if e == nil {
		return
	}
	delete(s.entries, t)
	state := &s.sides[e.Side]
	l := state.lanes[e.Client]
	if e.Running {
		l.running--
		state.running--
		if state.owners[e.Owner]--; state.owners[e.Owner] == 0 {
			delete(state.owners, e.Owner)
		}
	} else {
		l.waiting = slices.DeleteFunc(l.waiting, func(w *Entry) bool { return w == e })
		state.waiting--
		if len(l.waiting) == 0 {
			state.turn = slices.DeleteFunc(state.turn, func(other *lane) bool { return other == l })
		}
	}
	if l.running == 0 && len(l.waiting) == 0 {
		delete(state.lanes, e.Client)
	}
}
