package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/jid"
)

// A room keeps what is said, and when.
type room struct {
	mu   sync.Mutex
	said []string
	fail error
	hang bool
}

func (r *room) send(ctx context.Context, to jid.JID, text string) error {
	if r.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, to.String()+": "+text)
	return r.fail
}

func (r *room) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := r.said
	r.said = nil
	return said
}

func named(name string) Push {
	return Push{Who: name, Repository: "r", Changes: []Change{{Ref: "refs/heads/x"}}}
}

var here, there = jid.MustParse("here@example.org"), jid.MustParse("there@example.org")

func TestFewMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		n := New(r.send, slog.New(slog.DiscardHandler))
		defer n.Close()
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if got := r.heard(); !slices.Equal(got, want) {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
		n.Tell(here, named("a"))
		expect("here@example.org: a pushed x to r")
		n.Tell(here, named("b"))
		n.Tell(here, named("c"))
		n.Tell(there, named("d"))
		expect("there@example.org: d pushed x to r")
		time.Sleep(gap)
		expect("here@example.org: b pushed x to r\nc pushed x to r")
		for range 1000 {
			n.Tell(here, named("e"))
		}
		time.Sleep(gap)
		expect("here@example.org: " + strings.Repeat("e pushed x to r\n", maxLines) + "and 995 more pushes")
		n.Tell(here, Push{Who: "nobody", Repository: "r"}) // which has changed nothing
		time.Sleep(10 * gap)
		expect()
		n.Tell(here, named("f"))
		expect("here@example.org: f pushed x to r")
		n.Tell(here, named("g"))
		n.Close()
		expect("here@example.org: g pushed x to r")
		n.Tell(here, named("h"))
		expect()
	})
}

// What can't be said is one line of a log, and keeps nobody.
func TestNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		r := &room{fail: errors.New("you are banned")}
		n := New(r.send, slog.New(slog.NewTextHandler(&log, nil)))
		n.Tell(here, named("a"))
		synctest.Wait()
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=WARN msg="notification not sent" to=here@example.org err="you are banned"`) {
			t.Errorf("log: %s", got)
		}
		r.hang = true
		n.Tell(there, named("b"))
		synctest.Wait()
		began := time.Now()
		n.Close()
		if took := time.Since(began); took > lastTimeout {
			t.Errorf("closing took %v", took)
		}
	})
}

func TestManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		n := New(r.send, slog.New(slog.DiscardHandler))
		defer n.Close()
		for i := range 2 * maxAddresses {
			n.Tell(jid.MustParse(fmt.Sprintf("room%d@example.org", i)), named("a"))
		}
		synctest.Wait()
		if got := len(r.heard()); got != maxAddresses {
			t.Errorf("%d were told", got)
		}
		time.Sleep(gap)
		synctest.Wait()
		if len(n.to) != 0 {
			t.Errorf("%d addresses are kept", len(n.to))
		}
	})
}
