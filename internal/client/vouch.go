package client

import (
	"context"

	"git-remote-xmpp/internal/vouch"
)

// side is our end of a connection to a target.
func (o Options) side(target Target) vouch.Side {
	return vouch.Side{Store: o.Store, Account: o.Account.String(), Key: target.Key, Address: o.Address.String()}
}

// greeted reads the peer's hello, and heeds what comes with it. With an invite that is for whoever waits for it: the peer isn't known yet.
func (s *Session) greeted(ctx context.Context, o Options, target Target) {
	s.readHello()
	if target.secret == nil && s.failure() == nil && !o.Look {
		s.heed(ctx, o, target)
	}
}

// heed notes what the peer says of others. That it can't be noted doesn't hurt this connection, and the next one brings it again.
func (s *Session) heed(ctx context.Context, o Options, target Target) {
	_ = o.side(target).Heed(context.WithoutCancel(ctx), s.said) // it has a time limit of its own
}
