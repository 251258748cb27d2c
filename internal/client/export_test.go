package client

import "time"

// NewImpatientPool returns a pool that keeps unused connections for less time than others.
func NewImpatientPool(o Options, keepFor time.Duration) *Pool {
	p := NewPool(o)
	p.keepFor = keepFor
	return p
}

// RenewAfter has connections take new streams for less time than others.
func (p *Pool) RenewAfter(d time.Duration) { p.renew = d }

// AwaitHello waits until the peer's hello has come, and what it says of others, or never will.
func (s *Session) AwaitHello() { <-s.hello }
