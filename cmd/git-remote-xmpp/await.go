package main

import (
	"bytes"
	"context"
	"sync"
	"time"

	"git-remote-xmpp/internal/notice"
)

const (
	// firstAfter is how long a peer may take to be there, and awaitAfter for each answer then, until the user is told on a terminal who is waited for. On a
	// slow way it takes a while until git may write the next piece of a pack.
	firstAfter, awaitAfter = 3 * time.Second, 10 * time.Second
	// awaitLook is how often that is looked at.
	awaitLook = 500 * time.Millisecond
)

// An awaitNote tells on a terminal that nothing moves, and who is waited for: the peer, or our own server.
type awaitNote struct {
	out  *notice.Writer
	line *notice.Line
	name string // of the remote

	mu       sync.Mutex
	late     time.Time                  // from when on an answer is late; zero if it isn't the peer's turn
	moved    time.Time                  // when something was said last
	lost     time.Time                  // since when our server is gone; zero if it is there
	endpoint interface{ Linked() bool } // nil: another process has it
	task     sync.WaitGroup
	cancel   context.CancelFunc
}

// start begins to look, if there is a terminal. close must be called at the end.
func (n *awaitNote) start(ctx context.Context) {
	ctx, n.cancel = context.WithCancel(ctx)
	n.line = n.out.Line()
	if n.out.IsTerminal() {
		n.task.Go(func() { n.run(ctx) })
	}
}

func (n *awaitNote) close() {
	n.cancel()
	n.task.Wait()
	n.line.Clear()
}

// expect says that it is the peer's turn, and how long that may take; answered, that it isn't any more.
func (n *awaitNote) expect(within time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.moved = time.Now()
	n.late = n.moved.Add(within)
	n.line.Clear()
}

func (n *awaitNote) answered() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.moved, n.late = time.Now(), time.Time{}
	n.line.Clear()
}

// use says on which login of our own the peer is reached.
func (n *awaitNote) use(endpoint interface{ Linked() bool }) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.endpoint = endpoint
}

func (n *awaitNote) run(ctx context.Context) {
	ticker := time.NewTicker(awaitLook)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			n.look(now)
		}
	}
}

// look says who is waited for, if it takes long.
func (n *awaitNote) look(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch lost := n.endpoint != nil && !n.endpoint.Linked(); {
	case !lost:
		n.lost = time.Time{}
	case n.lost.IsZero():
		n.lost = now
	}
	switch {
	case !n.lost.IsZero() && now.Sub(n.lost) >= firstAfter && now.Sub(n.moved) >= firstAfter:
		n.line.Set("waiting: our xmpp server is gone, and is tried again")
	case !n.late.IsZero() && now.After(n.late):
		n.line.Set("waiting for " + n.name)
	default:
		n.line.Clear()
	}
}

// A watched is what git and its service say to each other, as far as it tells who has the terminal.
type watched struct {
	meter  *meter
	note   *awaitNote
	out    *notice.Writer
	meters func() bool // git draws some
}

// endOfSection ends what a service of git's says in one go (gitprotocol-common(5), flush-pkt): git goes on by itself.
var endOfSection = []byte("0000")

// see takes note of data on its way, before git gets it.
func (w *watched) see(sent bool, data []byte) {
	w.meter.see(sent, data)
	if sent {
		w.note.expect(awaitAfter)
	} else {
		w.note.answered()
	}
	w.out.Yield(w.meters() && w.meter.mayDraw(sent) || !sent && bytes.HasSuffix(data, endOfSection))
}
