package schedule_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"git-remote-xmpp/internal/schedule"
)

func add(t *testing.T, q *schedule.Queue, client string) schedule.Ticket {
	t.Helper()
	ticket, err := q.Add(client)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestOneAtATimeForEachClient(t *testing.T) {
	var q schedule.Queue
	a1, a2, a3, b1 := add(t, &q, "a"), add(t, &q, "a"), add(t, &q, "a"), add(t, &q, "b")
	for ticket, want := range map[schedule.Ticket]int{a1: 0, a2: 1, a3: 2, b1: 0} {
		if got := q.Before(ticket); got != want {
			t.Errorf("%d before %d, want %d", got, ticket, want)
		}
	}
	if moved := q.Remove(a1); !slices.Equal(moved, []schedule.Ticket{a2, a3}) {
		t.Errorf("moved: %v", moved)
	}
	if moved := q.Remove(a3); len(moved) != 0 { // gives up while it waits
		t.Errorf("moved: %v", moved)
	}
	if q.Before(a2) != 0 || q.Before(a3) != -1 || q.Before(a1) != -1 {
		t.Error("a2 doesn't run")
	}
	q.Remove(a2)
	q.Remove(b1)
	if q.Remove(b1) != nil || q.Len() != 0 {
		t.Errorf("%d left", q.Len())
	}
}

func TestLineIsBounded(t *testing.T) {
	var q schedule.Queue
	for range schedule.MaxWaiting + 1 {
		add(t, &q, "a")
	}
	if _, err := q.Add("a"); !errors.Is(err, schedule.ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	add(t, &q, "b")
}

// Whatever comes and goes, of each client exactly the first one in line runs, and nobody is lost.
func TestRandomEvents(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var q schedule.Queue
	lines := map[string][]schedule.Ticket{}
	clients := []string{"a", "b", "c"}
	for range 20_000 {
		client := clients[random.IntN(len(clients))]
		line := lines[client]
		if random.IntN(2) == 0 && len(line) <= schedule.MaxWaiting {
			lines[client] = append(line, add(t, &q, client))
		} else if len(line) > 0 {
			i := random.IntN(len(line))
			if moved := q.Remove(line[i]); !slices.Equal(moved, line[i+1:]) {
				t.Fatalf("moved %v, want %v", moved, line[i+1:])
			}
			lines[client] = slices.Delete(slices.Clone(line), i, i+1)
		}
		total := 0
		for _, line := range lines {
			total += len(line)
			for i, ticket := range line {
				if q.Before(ticket) != i {
					t.Fatalf("%d before %d, want %d", q.Before(ticket), ticket, i)
				}
			}
		}
		if q.Len() != total {
			t.Fatalf("%d in line, want %d", q.Len(), total)
		}
	}
}
