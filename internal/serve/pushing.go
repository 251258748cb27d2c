package serve

import (
	"context"

	"git-remote-xmpp/internal/schedule"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/protocol"
)

// pushing is a push of ours to a peer.
type pushing struct{ syncer.Push }

// Turn waits for the turn of a push of ours; leave must be called at its end.
func (s *Server) Turn(ctx context.Context, p syncer.Push) (leave func(), err error) {
	turn, err := s.prepared().enter(ctx, &pushing{p}, func(int) error { return nil })
	if err != nil {
		return nil, err
	}
	return turn.leave, nil
}

func (p *pushing) initiation() schedule.Initiation {
	return schedule.Initiation{Client: p.Client, Owner: p.Peer.Key.String(), Side: schedule.Sending, Name: p.Repository.Name}
}

// away is false: what is pushed to a peer that has gone ends with its connection.
func (p *pushing) away() bool { return false }

func (p *pushing) describe(e schedule.Entry, before int) Run {
	return Run{
		Client: p.Client, Key: e.Owner, Label: p.Peer.Label, JID: p.To,
		Repository: Repository{p.Repository.Name, p.Repository.UUID}, Side: e.Side.String(), Service: protocol.ReceivePack.String(),
		Since: e.Since, Before: before,
	}
}
