package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"git-remote-xmpp/internal/peers"
	"mellium.im/xmpp/jid"
)

const (
	// maxPooled is how many connections a pool has at once.
	maxPooled = 64
	// maxShared is how many streams share a connection. Transport lets one and a half windows of a stream be on their way on a
	// connection: of two streams, one that nobody reads leaves room for the other; two of three wouldn't for the third.
	maxShared = 2
	// keepFor is how long a connection without a stream is kept: less than on the serving side, so that it isn't closed there just when
	// it is used again.
	keepFor = 50 * time.Second
	// renewAfter is how long a connection takes new streams: hellos say what each side says of others, and that changes.
	renewAfter = 5 * time.Minute
)

// ErrBusy says that a pool has as many connections as it may.
var ErrBusy = errors.New("too many connections")

// A Pool opens streams to any number of peers, on connections that are there from before where it can.
type Pool struct {
	options Options
	keepFor time.Duration
	renew   time.Duration   // renewAfter
	running context.Context // of its connections
	stop    context.CancelFunc
	tasks   sync.WaitGroup // one for each connection

	mu    sync.Mutex
	conns []*pooled
}

// NewPool returns a pool whose connections are made as o says; its address doesn't count.
func NewPool(o Options) *Pool {
	p := &Pool{options: o, keepFor: keepFor, renew: renewAfter}
	p.running, p.stop = context.WithCancel(context.Background())
	return p
}

// Open opens a stream to the peer with a key, which must be known at the address.
func (p *Pool) Open(ctx context.Context, address jid.JID, key peers.Key) (*PooledStream, error) {
	for {
		c, reused, err := p.take(address, key)
		if err != nil {
			return nil, err
		}
		stream, err := c.open(ctx)
		if err == nil {
			return newPooledStream(p, stream, c, reused), nil
		}
		alive := c.alive()
		p.release(c)
		if !reused || alive || ctx.Err() != nil {
			return nil, err
		}
	}
}

// openNew opens a stream on a connection of its own.
func (p *Pool) openNew(ctx context.Context, address jid.JID, key peers.Key) (*Stream, *pooled, error) {
	target, err := p.target(address, key)
	if err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	c, err := p.dialLocked(address, target)
	p.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	stream, err := c.open(ctx)
	if err != nil {
		p.release(c)
		return nil, nil, err
	}
	return stream, c, nil
}

// target is the peer with a key, if that is known at an address now.
func (p *Pool) target(address jid.JID, key peers.Key) (Target, error) {
	s, err := NewKeySearch(p.options.Store, address, key)
	if err != nil {
		return Target{}, err
	}
	return s.Next(nil)
}

// take finds a connection for one more stream, or begins to make one. The caller releases it.
func (p *Pool) take(address jid.JID, key peers.Key) (c *pooled, reused bool, err error) {
	target, err := p.target(address, key)
	if err != nil {
		return nil, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, other := range slices.Clone(p.conns) {
		switch {
		case !other.address.Equal(address) || other.target.Key != key:
		case other.streams == 0 && other.isReady() && !other.usable(p):
			p.dropLocked(other) // a peer that went away may come back, but not to the same connection
		case other.usable(p) && (c == nil || other.streams < c.streams):
			c = other
		}
	}
	if c == nil {
		c, err = p.dialLocked(address, target)
		return c, false, err
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.streams++
	return c, c.isReady(), nil
}

// dialLocked begins to make a connection. The longest unused one makes room if need be.
func (p *Pool) dialLocked(address jid.JID, target Target) (*pooled, error) {
	if p.running.Err() != nil {
		return nil, ErrBusy
	}
	if len(p.conns) >= maxPooled && !p.evictLocked() {
		return nil, ErrBusy
	}
	ctx, cancel := context.WithCancel(p.running)
	c := &pooled{address: address, target: target, cancel: cancel, ready: make(chan struct{}), streams: 1}
	p.conns = append(p.conns, c)
	p.tasks.Go(func() {
		defer cancel()
		p.run(ctx, c)
	})
	return c, nil
}

func (p *Pool) evictLocked() bool {
	var oldest *pooled
	for _, c := range p.conns {
		if c.streams == 0 && c.isReady() && (oldest == nil || c.since.Before(oldest.since)) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	p.dropLocked(oldest)
	return true
}

// dropLocked ends a connection.
func (p *Pool) dropLocked(c *pooled) {
	c.cancel()
	p.forgetLocked(c)
}

func (p *Pool) forgetLocked(c *pooled) {
	p.conns = slices.DeleteFunc(p.conns, func(other *pooled) bool { return other == c })
}

// run makes a connection and stays with it until it ends.
func (p *Pool) run(ctx context.Context, c *pooled) {
	o := p.options
	o.Address = c.address
	session, err := Connect(ctx, o, c.target)
	p.mu.Lock()
	c.session, c.err = session, err
	c.made = time.Now()
	close(c.ready)
	if c.streams == 0 && err == nil { // whoever wanted it has gone
		p.idleLocked(c)
	}
	p.mu.Unlock()
	if err == nil {
		select {
		case <-session.conn.Context().Done():
		case <-ctx.Done():
		}
		session.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLocked(c)
	if c.timer != nil {
		c.timer.Stop()
	}
}

// release gives back a connection. One that nobody uses is closed after a while, one that nobody can use at once.
func (p *Pool) release(c *pooled) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.streams--; c.streams > 0 {
		return
	}
	if !c.alive() {
		p.dropLocked(c)
		return
	}
	p.idleLocked(c)
}

func (p *Pool) idleLocked(c *pooled) {
	c.since = time.Now().Round(0)
	c.timer = time.AfterFunc(p.keepFor, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if c.streams == 0 {
			p.dropLocked(c)
		}
	})
}

// Close ends all connections and waits for what belongs to them.
func (p *Pool) Close() {
	p.mu.Lock()
	p.stop() // under the lock: no connection is begun after it
	p.mu.Unlock()
	p.tasks.Wait()
}
