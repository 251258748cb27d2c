package schedule_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"git-remote-xmpp/internal/schedule"
)

var now = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func limits(pushes int) schedule.Limits {
	return schedule.Limits{Running: [3]int{pushes, pushes, 2 * pushes}, Waiting: 50, WaitingPerClient: 5}
}

func add(t *testing.T, s *schedule.Scheduler, i schedule.Initiation) schedule.Ticket {
	t.Helper()
	if i.Owner == "" {
		i.Owner = i.Client
	}
	ticket, err := s.Add(now, i)
	if err != nil {
		t.Fatalf("%+v: %v", i, err)
	}
	return ticket
}

func push(client string) schedule.Initiation { return schedule.Initiation{Client: client} }

func mustRun(t *testing.T, s *schedule.Scheduler, want ...schedule.Ticket) {
	t.Helper()
	if got := s.Next(now); !slices.Equal(got, want) {
		t.Errorf("to run: %v, want %v", got, want)
	}
}

func TestOnePushOfAClientAtATime(t *testing.T) {
	s := schedule.New(limits(4))
	a1, a2, a3, b1 := add(t, s, push("a")), add(t, s, push("a")), add(t, s, push("a")), add(t, s, push("b"))
	mustRun(t, s, a1, b1)
	for ticket, want := range map[schedule.Ticket]int{a1: 0, a2: 1, a3: 2, b1: 0} {
		if got := s.Before(ticket); got != want {
			t.Errorf("%d before %d, want %d", got, ticket, want)
		}
	}
	s.Done(a2) // gives up while it waits
	if s.Before(a3) != 1 || s.Before(a2) != -1 {
		t.Errorf("a3 has %d before it", s.Before(a3))
	}
	mustRun(t, s)
	s.Done(a1)
	mustRun(t, s, a3)
	s.Done(a3)
	s.Done(a3)
	s.Done(b1)
	if left := s.Snapshot(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

// The sides of a client don't wait for each other, and fetches of one client not for each other either.
func TestSides(t *testing.T) {
	s := schedule.New(limits(4))
	receive := add(t, s, push("a"))
	send := add(t, s, schedule.Initiation{Client: "a", Side: schedule.Sending})
	f1 := add(t, s, schedule.Initiation{Client: "a", Side: schedule.Fetching})
	f2 := add(t, s, schedule.Initiation{Client: "a", Side: schedule.Fetching})
	mustRun(t, s, receive, send, f1, f2)
}

// Turns go round: who has been served stands behind all who wait, also if it went away and came back.
func TestTurns(t *testing.T) {
	s := schedule.New(limits(1))
	a1 := add(t, s, push("a"))
	mustRun(t, s, a1)
	a2, a3, b1, c1 := add(t, s, push("a")), add(t, s, push("a")), add(t, s, push("b")), add(t, s, push("c"))
	for ticket, want := range map[schedule.Ticket]int{a2: 1, b1: 2, c1: 3, a3: 4} {
		if got := s.Before(ticket); got != want {
			t.Errorf("%d before %d, want %d", got, ticket, want)
		}
	}
	s.Done(a1)
	mustRun(t, s, a2)
	s.Done(a2)
	mustRun(t, s, b1)
	b2 := add(t, s, push("b"))
	s.Done(b1)
	mustRun(t, s, c1)
	s.Done(c1)
	mustRun(t, s, a3)
	s.Done(a3)
	mustRun(t, s, b2)
}

func TestBusy(t *testing.T) {
	s := schedule.New(limits(1))
	mustRun(t, s, add(t, s, push("running")))
	for range 5 {
		add(t, s, push("a"))
	}
	if _, err := s.Add(now, push("a")); !errors.Is(err, schedule.ErrBusy) {
		t.Errorf("one too many of a client: %v", err)
	}
	for i := range 45 {
		add(t, s, push(fmt.Sprint("client", i)))
	}
	if _, err := s.Add(now, push("z")); !errors.Is(err, schedule.ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	add(t, s, schedule.Initiation{Client: "z", Side: schedule.Fetching})
}

// An owner of many clients leaves a place for others.
func TestOwner(t *testing.T) {
	s := schedule.New(limits(3))
	var mine []schedule.Ticket
	for _, client := range []string{"a", "b", "c"} {
		mine = append(mine, add(t, s, schedule.Initiation{Client: client, Owner: "greedy"}))
	}
	mustRun(t, s, mine[0], mine[1])
	other := add(t, s, push("other"))
	mustRun(t, s, other)
	s.Done(mine[0])
	mustRun(t, s, mine[2])
}

// What waits for a run: the rest of its client's, and what could have its place.
func TestBehind(t *testing.T) {
	s := schedule.New(limits(2))
	a1, a2, b1, b2, c1 := add(t, s, push("a")), add(t, s, push("a")), add(t, s, push("b")), add(t, s, push("b")), add(t, s, push("c"))
	fetch := add(t, s, schedule.Initiation{Client: "a", Side: schedule.Fetching})
	mustRun(t, s, a1, b1, fetch)
	for ticket, want := range map[schedule.Ticket][2][]schedule.Ticket{
		a1: {{a2}, {c1}}, b1: {{b2}, {c1}}, fetch: {}, c1: {},
	} {
		own, others := s.Behind(ticket)
		if !slices.Equal(own, want[0]) || !slices.Equal(others, want[1]) {
			t.Errorf("behind %d: %v, %v, want %v", ticket, own, others, want)
		}
	}
	s.Done(c1)
	if _, others := s.Behind(a1); len(others) != 0 {
		t.Errorf("behind a1: %v", others)
	}
}
