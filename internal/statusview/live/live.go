// Package live shows a serve's status on a terminal as long as somebody looks at it.
//
// It knows the terminal, its keys and when to ask. What is shown package statusview draws; whom to ask its caller knows.
package live

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"git-remote-xmpp/internal/statusview"
	_ "git-remote-xmpp/internal/statusview/still" // at the start of the program
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
)

const (
	// askEvery is how often is asked, and askWithin how long an answer may take.
	askEvery, askWithin = time.Second, 5 * time.Second
	// restFactor is how much longer than an answer takes nothing is asked: to be looked at must not keep a serve from its work.
	restFactor, maxRest = 5, 5 * time.Second
)

// ErrGone says that there is no serve to ask now.
var ErrGone = errors.New("serve has ended: waiting for it to be started again")

// ErrSilent says that an answer takes too long.
var ErrSilent = errors.New("serve doesn't answer")

// Options say what is shown where.
type Options struct {
	In    io.Reader // a terminal
	Out   io.Writer // the same
	ASCII bool      // the terminal shows nothing else
	First statusview.Document
	// Ask asks for the next one. An [ErrGone] is no reason to end.
	Ask func(ctx context.Context) (statusview.Document, error)
}

// Run shows the status until the user wants no more, or ctx is done.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	m := &model{style: statusview.NewStyle(lipgloss.NewRenderer(o.Out), o.ASCII), history: &statusview.History{}}
	m.history.Add(o.First, time.Now())
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithAltScreen(), tea.WithoutSignalHandler())
	asking.Go(func() { ask(ctx, o.Ask, p.Send) })
	_, err := p.Run()
	if ctx.Err() != nil { // a signal: nothing is left undone
		return nil
	}
	return err
}

// A reply is what came of asking.
type reply struct {
	statusview.Document
	err error
	at  time.Time
}

// ask asks again and again, and hands on what comes of it.
func ask(ctx context.Context, ask func(context.Context) (statusview.Document, error), send func(tea.Msg)) {
	rest := askEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
		began := time.Now()
		within, cancel := context.WithTimeoutCause(ctx, askWithin, ErrSilent)
		document, err := ask(within)
		cancel()
		if ctx.Err() != nil {
			return
		}
		send(reply{document, err, time.Now()})
		took := time.Since(began)
		rest = max(askEvery-took, min(restFactor*took, maxRest))
	}
}
