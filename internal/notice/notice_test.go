package notice

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A page is what a terminal shows of what is written to it: lines, over which one may write after a carriage return.
type page struct {
	mu      sync.Mutex
	columns int
	lines   []string // the last one has the cursor
	column  int
}

func (p *page) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines == nil {
		p.lines = []string{""}
	}
	for _, r := range string(text) {
		last := &p.lines[len(p.lines)-1]
		switch r {
		case '\r':
			p.column = 0
		case '\n':
			p.lines, p.column = append(p.lines, ""), 0
		default:
			line := []rune(*last + strings.Repeat(" ", max(0, p.column+1-len([]rune(*last)))))
			line[p.column] = r
			*last = string(line)
			p.column++
		}
	}
	return len(text), nil
}

// shown is all lines without blanks at their ends.
func (p *page) shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	for _, line := range p.lines {
		if len([]rune(line)) >= p.columns {
			return "goes to the next line: " + line
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

func newPage(ctx context.Context, columns int) (*page, *Writer) {
	p := &page{columns: columns}
	return p, onTerminal(ctx, p, func() int { return columns })
}

// A line is updated in place, one at a time, and is gone without a trace.
func TestInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := newPage(t.Context(), 40)
		defer w.Close()
		must := func(want string) {
			t.Helper()
			if got := p.shown(); got != want {
				t.Errorf("shows %q, want %q", got, want)
			}
		}
		queue, away := w.Line(), w.Line()
		queue.Set("waiting: 2 pushes before this one")
		must("waiting: 2 pushes before this one (0s)")
		time.Sleep(3 * redrawEvery)
		synctest.Wait()
		must("waiting: 2 pushes before this one (3s)")
		queue.Set("waiting: 1 push before this one")
		must("waiting: 1 push before this one (3s)")
		away.Set("waiting: bob is offline")
		must("waiting: bob is offline (0s)")
		if _, err := w.Write([]byte("remote: hello\n")); err != nil {
			t.Fatal(err)
		}
		must("remote: hello\n")
		time.Sleep(redrawEvery)
		synctest.Wait()
		must("remote: hello\nwaiting: bob is offline (1s)")
		away.Done("bob is back")
		must("remote: hello\nwaiting: 1 push before this one (4s)")
		queue.Clear()
		must("remote: hello\n")
		time.Sleep(2 * redrawEvery)
		synctest.Wait()
		must("remote: hello\n")
	})
}

// While git has the terminal nothing is drawn: its meters are whole, whatever is waited for.
func TestYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := newPage(t.Context(), 80)
		line := w.Line()
		line.Set("waiting for bob@example.org/proj, which takes a while")
		w.Yield(true)
		for range 3 {
			_, _ = p.Write([]byte("Receiving objects: 33% (1/3)\r"))
			time.Sleep(redrawEvery)
			synctest.Wait()
		}
		_, _ = p.Write([]byte("Receiving objects: 100% (3/3), done.\n"))
		if got := p.shown(); got != "Receiving objects: 100% (3/3), done.\n" {
			t.Errorf("shows %q", got)
		}
		w.Yield(false)
		if got := p.shown(); !strings.HasSuffix(got, "done.\nwaiting for bob@example.org/proj, which takes a while (3s)") {
			t.Errorf("shows %q", got)
		}
		w.Close()
		if got := p.shown(); !strings.HasSuffix(got, "done.\n") {
			t.Errorf("shows %q", got)
		}
		line.Set("late")
		time.Sleep(2 * redrawEvery)
		if got := p.shown(); !strings.HasSuffix(got, "done.\n") {
			t.Errorf("shows %q", got)
		}
	})
}

// What doesn't fit is cut; where there is no terminal just now, nothing is drawn; and nothing for who wants it quiet.
func TestRoom(t *testing.T) {
	for name, test := range map[string]struct {
		columns int
		quiet   bool
		want    string
	}{
		"narrow":     {20, false, "waiting for bob@exa"},
		"background": {0, false, ""},
		"quiet":      {80, true, ""},
	} {
		p, w := newPage(t.Context(), test.columns)
		w.Quiet(test.quiet)
		w.Line().Set("waiting for bob@example.org/proj")
		if got := p.shown(); got != test.want {
			t.Errorf("%s: shows %q, want %q", name, got, test.want)
		}
		w.Close()
	}
}

// Without a terminal each news is a line that stays.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	w := New(t.Context(), &out)
	queue, away := w.Line(), w.Line()
	for _, text := range []string{"2 pushes before this one", "2 pushes before this one", "1 push before this one"} {
		queue.Set(text)
	}
	queue.Clear()
	away.Done("bob is back")
	away.Set("bob is offline")
	away.Done("bob is back")
	w.Quiet(true)
	away.Set("bob is offline")
	away.Done("bob is back")
	w.Close()
	if want := "2 pushes before this one\n1 push before this one\nbob is offline\nbob is back\n"; out.String() != want {
		t.Errorf("says %q, want %q", out.String(), want)
	}
}
