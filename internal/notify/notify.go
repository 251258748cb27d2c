// Package notify tells people what was pushed, in words, a few times a minute at the most.
//
// It is given a function that sends a text to an address, and must know neither how that is done nor git.
package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
)

const (
	// gap is how long nothing more is said to an address after a message: what comes meanwhile is one message.
	gap = 10 * time.Second
	// sendTimeout bounds one message, lastTimeout what is left to be said at the end.
	sendTimeout = 30 * time.Second
	lastTimeout = 2 * time.Second
	// maxAddresses is to how many addresses something is to be said at a time, maxKept how many pushes are kept for one.
	maxAddresses = 64
	maxKept      = 20
)

// A Notifier tells pushes to addresses. Its methods may be called by several goroutines.
type Notifier struct {
	send func(ctx context.Context, to jid.JID, text string) error
	log  *slog.Logger

	ctx     context.Context // of what is sent
	cancel  context.CancelFunc
	last    chan struct{} // closed when no gap is waited for any more
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	to     map[string]*pending
}

// pending is what is to be said to one address.
type pending struct {
	address jid.JID
	pushes  []Push
	more    int // that weren't kept
}

// New makes a Notifier that sends by a function, whose failures are logged.
func New(send func(ctx context.Context, to jid.JID, text string) error, log *slog.Logger) *Notifier {
	ctx, cancel := context.WithCancel(context.Background())
	return &Notifier{send: send, log: log, ctx: ctx, cancel: cancel, last: make(chan struct{}), to: make(map[string]*pending)}
}

// Tell has a push be told. It doesn't wait for that.
func (n *Notifier) Tell(to jid.JID, p Push) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := to.String()
	queue := n.to[key]
	switch {
	case n.closed:
		return
	case queue == nil && len(n.to) >= maxAddresses:
		n.log.Warn("notification left out", "to", key, "err", "too many addresses")
		return
	case queue == nil:
		queue = &pending{address: to}
		n.to[key] = queue
		n.running.Go(func() { n.work(queue) })
	}
	if len(queue.pushes) >= maxKept {
		queue.more++
		return
	}
	queue.pushes = append(queue.pushes, p)
}

// work says what there is to say to one address, until there is nothing.
func (n *Notifier) work(queue *pending) {
	for {
		message, ok := n.take(queue)
		if !ok {
			return
		}
		if message != "" {
			n.say(queue.address, message)
		}
		timer := time.NewTimer(gap)
		select {
		case <-timer.C:
		case <-n.last:
		}
		timer.Stop()
	}
}

// take takes all that is to be said to an address; ok is false if there is nothing.
func (n *Notifier) take(queue *pending) (message string, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(queue.pushes) == 0 {
		delete(n.to, queue.address.String())
		return "", false
	}
	message = text(queue.pushes, queue.more)
	queue.pushes, queue.more = nil, 0
	return message, true
}

func (n *Notifier) say(to jid.JID, message string) {
	ctx, cancel := context.WithTimeout(n.ctx, sendTimeout)
	defer cancel()
	if err := n.send(ctx, to, message); err != nil {
		n.log.Warn("notification not sent", "to", to.String(), "err", err)
	}
}

// Close says what is left to say, if that can be done soon, and ends.
func (n *Notifier) Close() {
	n.mu.Lock()
	if !n.closed {
		n.closed = true
		close(n.last)
	}
	n.mu.Unlock()
	timer := time.AfterFunc(lastTimeout, n.cancel)
	defer timer.Stop()
	n.running.Wait()
	n.cancel()
}
