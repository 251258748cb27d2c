package schedule

import (
	"cmp"
	"maps"
	"slices"
)

// Before is how many come before an initiation on its side: at 0 it runs. It is -1 for a void ticket.
//
// Of those that run it counts what must end before this one can begin: all of the same client's, or
// one if all places are taken. Of those that wait it counts whose turn is before.
func (s *Scheduler) Before(t Ticket) int {
	e := s.entries[t]
	switch {
	case e == nil:
		return -1
	case e.Running:
		return 0
	}
	state := &s.sides[e.Side]
	own := state.lanes[e.Client]
	place := slices.Index(own.waiting, e)
	before := place
	if passed := slices.Index(state.turn, own); passed >= 0 {
		for i, l := range state.turn {
			if l == own {
				continue
			}
			turns := place // rounds in which the other comes first
			if i < passed {
				turns++
			}
			before += min(turns, len(l.waiting))
		}
	}
	if e.Side != Fetching && own.running > 0 {
		return before + own.running
	}
	return before + 1 // of those that run, one has to end: otherwise this one would run, or another before it
}

// Snapshot returns all initiations: those that run, then those that wait, each in the order of their coming.
func (s *Scheduler) Snapshot() []Entry {
	var list []Entry
	for e := range maps.Values(s.entries) {
		list = append(list, *e)
	}
	slices.SortFunc(list, func(a, b Entry) int {
		if a.Running != b.Running {
			if a.Running {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Ticket, b.Ticket)
	})
	return list
}

// Running is how many run on the side of an initiation; 0 for a void ticket.
func (s *Scheduler) Running(t Ticket) int {
	if e := s.entries[t]; e != nil {
		return s.sides[e.Side].running
	}
	return 0
}

// Behind returns what waits for a run to end: own are those of the same client and side, others those that could have its place. One whose client
// has another push running on that side waits for that.
func (s *Scheduler) Behind(t Ticket) (own, others []Ticket) {
	e := s.entries[t]
	if e == nil || !e.Running {
		return nil, nil
	}
	state := &s.sides[e.Side]
	for _, l := range state.turn {
		for _, w := range l.waiting {
			switch {
			case w.Client == e.Client:
				own = append(own, w.Ticket)
			case e.Side == Fetching || l.running == 0:
				others = append(others, w.Ticket)
			}
		}
	}
	return own, others
}
