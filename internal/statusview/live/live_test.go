package live

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/internal/statusview"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
)

func newModel() *model {
	m := &model{style: statusview.NewStyle(lipgloss.NewRenderer(io.Discard), false), history: &statusview.History{}}
	m.history.Add(document("bob@example.org"), time.Now())
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 6})
	return m
}

// document is of a serve with more peers than fit.
func document(account string) statusview.Document {
	return statusview.Document{Status: serve.Status{Account: account, Online: true, Connections: make([]serve.Connection, 9)}}
}

// A serve that doesn't answer, or has ended, is said until it answers again.
func TestTrouble(t *testing.T) {
	m := newModel()
	for _, step := range []struct {
		reply
		shows, not string
	}{
		{reply{err: ErrSilent, at: time.Now()}, "bob@example.org", "ended"},
		{reply{err: ErrSilent, at: time.Now()}, "serve doesn't answer", "ended"},
		{reply{err: ErrGone, at: time.Now()}, "serve has ended: waiting for it to be started again", "bob@example.org"},
		{reply{Document: document("carol@example.org"), at: time.Now()}, "carol@example.org", "ended"},
	} {
		m.Update(step.reply)
		if text := m.View(); !strings.Contains(text, step.shows) || strings.Contains(text, step.not) {
			t.Errorf("after %v it shows\n%s", step.err, text)
		}
	}
}

// Keys move what is shown, no further than there is, and end it.
func TestKeys(t *testing.T) {
	m := newModel()
	m.View()
	for _, step := range []struct {
		key  tea.KeyMsg
		want int
	}{
		{tea.KeyMsg{Type: tea.KeyUp}, 0}, {tea.KeyMsg{Type: tea.KeyDown}, 1}, {tea.KeyMsg{Type: tea.KeyPgDown}, 4}, {tea.KeyMsg{Type: tea.KeyEnd}, m.last},
		{tea.KeyMsg{Type: tea.KeyDown}, m.last}, {tea.KeyMsg{Type: tea.KeyPgUp}, m.last - 3}, {tea.KeyMsg{Type: tea.KeyHome}, 0},
	} {
		if _, cmd := m.Update(step.key); cmd != nil || m.frame.First != step.want {
			t.Errorf("%v: first line %d, want %d", step.key, m.frame.First, step.want)
		}
	}
	for _, key := range []tea.KeyMsg{{Type: tea.KeyRunes, Runes: []rune("q")}, {Type: tea.KeyCtrlC}, {Type: tea.KeyEsc}} {
		_, cmd := m.Update(key)
		if cmd == nil {
			t.Fatalf("%v doesn't end it", key)
		}
		if _, ok := cmd().(tea.QuitMsg); !ok {
			t.Errorf("%v doesn't end it", key)
		}
	}
}

// It is asked about once a second, more rarely if an answer takes long, and no answer is waited for without an end.
func TestAsk(t *testing.T) {
	for name, test := range map[string]struct {
		takes time.Duration
		want  int // replies in a minute
		err   error
	}{
		"at once":  {0, 60, nil},
		"soon":     {100 * time.Millisecond, 60, nil},
		"slowly":   {time.Second, 10, nil},
		"too late": {time.Hour, 6, ErrSilent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Millisecond)
				defer cancel()
				replies := 0
				ask(ctx, func(ctx context.Context) (d statusview.Document, err error) {
					select {
					case <-time.After(test.takes):
						return d, nil
					case <-ctx.Done():
						return d, context.Cause(ctx)
					}
				}, func(msg tea.Msg) {
					replies++
					if r := msg.(reply); !errors.Is(r.err, test.err) {
						t.Errorf("replied %v", r.err)
					}
				})
				if replies < test.want-1 || replies > test.want {
					t.Errorf("%d replies, want %d", replies, test.want)
				}
			})
		})
	}
}
