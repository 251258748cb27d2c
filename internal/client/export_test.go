package client

import "time"

// NewImpatientPool returns a pool that keeps unused connections for less time than others.
func NewImpatientPool(o Options, keepFor time.Duration) *Pool {
	p := NewPool(o)
	p.keepFor = keepFor
	return p
}
