package schedule_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"git-remote-xmpp/internal/schedule"
)

// A model is what a scheduler was told and decided, kept in the most simple way.
type model struct {
	t       *testing.T
	random  *rand.Rand
	s       *schedule.Scheduler
	limits  schedule.Limits
	now     time.Time
	waiting []schedule.Entry // in the order of their coming
	running []schedule.Entry
	// passed is, for a client of which something waits, how often each other was served while it could have run.
	passed map[turn]map[string]int
}

type turn struct {
	side   schedule.Side
	client string
}

const steps = 100_000

// Whatever comes, ends or is given up, and in whatever order: one push of a client and side runs at a time, limits hold, nobody is served
// twice while another that may run waits, nothing is lost, and nothing waits while it could run.
func TestRandom(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &model{t: t, random: rand.New(rand.NewPCG(seed, 1)), now: now, passed: make(map[turn]map[string]int)}
			m.limits = schedule.Limits{Running: [3]int{1 + m.random.IntN(4), 1 + m.random.IntN(4), 1 + m.random.IntN(8)}, Waiting: 30, WaitingPerClient: 5}
			m.s = schedule.New(m.limits)
			for range steps / 4 {
				m.step()
			}
			m.drain()
		})
	}
}

func (m *model) step() {
	m.now = m.now.Add(time.Duration(m.random.IntN(1000)) * time.Millisecond)
	switch n := m.random.IntN(10); {
	case n < 5:
		m.add()
	case n < 9 && len(m.running) > 0:
		at := m.random.IntN(len(m.running))
		m.s.Done(m.running[at].Ticket)
		m.running = slices.Delete(m.running, at, at+1)
	case len(m.waiting) > 0: // gives up
		at := m.random.IntN(len(m.waiting))
		gone := m.waiting[at]
		m.s.Done(gone.Ticket)
		m.waiting = slices.Delete(m.waiting, at, at+1)
		if !slices.ContainsFunc(m.waiting, func(w schedule.Entry) bool { return w.Side == gone.Side && w.Client == gone.Client }) {
			delete(m.passed, turn{gone.Side, gone.Client})
		}
	}
	m.next()
	m.compare()
}

func (m *model) add() {
	i := schedule.Initiation{Client: string(rune('a' + m.random.IntN(12))), Side: schedule.Side(m.random.IntN(3))}
	i.Owner = map[bool]string{true: "many", false: i.Client}[i.Client < "e"]
	inSide, inLane := 0, 0
	for _, w := range m.waiting {
		if w.Side == i.Side {
			inSide++
			if w.Client == i.Client {
				inLane++
			}
		}
	}
	t, err := m.s.Add(m.now, i)
	e := schedule.Entry{Initiation: i, Ticket: t, Since: m.now}
	switch {
	case inSide >= m.limits.Waiting || inLane >= m.limits.WaitingPerClient:
		if !errors.Is(err, schedule.ErrBusy) {
			m.t.Fatalf("with %d and %d waiting: %v", inSide, inLane, err)
		}
	case err != nil:
		m.t.Fatal(err)
	default:
		m.waiting = append(m.waiting, e)
	}
}

// next checks every decision by itself, in the order in which they were made.
func (m *model) next() {
	for _, t := range m.s.Next(m.now) {
		at := slices.IndexFunc(m.waiting, func(w schedule.Entry) bool { return w.Ticket == t })
		if at < 0 {
			m.t.Fatalf("%d is to run, and doesn't wait", t)
		}
		e := m.waiting[at]
		if !m.may(e) {
			m.t.Fatalf("%+v may not run beside %+v", e, m.running)
		}
		m.waiting = slices.Delete(m.waiting, at, at+1)
		m.beFair(e)
		e.Running, e.Since = true, m.now
		m.running = append(m.running, e)
	}
	for i, w := range m.waiting {
		if m.may(w) && !slices.ContainsFunc(m.waiting[:i], func(o schedule.Entry) bool { return o.Client == w.Client && o.Side == w.Side }) {
			m.t.Fatalf("%+v waits and may run", w)
		}
	}
}

// may tells whether an entry may run beside those that do.
func (m *model) may(e schedule.Entry) bool {
	total, own := 0, 0
	for _, r := range m.running {
		if r.Side != e.Side {
			continue
		}
		total++
		if r.Owner == e.Owner {
			own++
		}
		if r.Client == e.Client && e.Side != schedule.Fetching {
			return false
		}
	}
	most := m.limits.Running[e.Side]
	return total < most && (most == 1 || own < most-1)
}

// beFair notes that e's client is served, for all others that could have run in its place: it must not be for the second time.
func (m *model) beFair(e schedule.Entry) {
	delete(m.passed, turn{e.Side, e.Client})
	for _, w := range m.waiting {
		key := turn{w.Side, w.Client}
		if w.Side != e.Side || w.Client == e.Client || !m.may(w) || !m.first(w) {
			continue
		}
		if m.passed[key] == nil {
			m.passed[key] = make(map[string]int)
		}
		if m.passed[key][e.Client]++; m.passed[key][e.Client] > 1 {
			m.t.Fatalf("%s is served twice while %+v waits and may run", e.Client, w)
		}
	}
}

// first tells whether an entry is the first that waits of its client and side.
func (m *model) first(e schedule.Entry) bool {
	at := slices.IndexFunc(m.waiting, func(w schedule.Entry) bool { return w.Side == e.Side && w.Client == e.Client })
	return m.waiting[at].Ticket == e.Ticket
}

// compare checks that nothing is lost, and that places make sense.
func (m *model) compare() {
	want := append(slices.Clone(m.running), m.waiting...)
	got := m.s.Snapshot()
	if len(got) != len(want) {
		m.t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	for _, e := range got {
		at := slices.IndexFunc(want, func(w schedule.Entry) bool { return w.Ticket == e.Ticket })
		if at < 0 || want[at] != e {
			m.t.Fatalf("unexpected %+v", e)
		}
		if before := m.s.Before(e.Ticket); (before == 0) != e.Running || before < 0 || before > len(want) {
			m.t.Fatalf("%d before %+v", before, e)
		}
	}
}

// drain lets everything end: nothing waits for ever.
func (m *model) drain() {
	for rounds := 0; len(m.running)+len(m.waiting) > 0; rounds++ {
		if len(m.running) == 0 || rounds > 1000 {
			m.t.Fatalf("stuck: %+v", m.waiting)
		}
		m.s.Done(m.running[0].Ticket)
		m.running = m.running[1:]
		m.next()
		m.compare()
	}
}
