package serve

import (
	"context"

	"git-remote-xmpp/internal/vouch"
	"git-remote-xmpp/protocol"
)

// side is our end of the connection.
func (s *Server) side(c *client) vouch.Side {
	return vouch.Side{Store: s.Store, Account: s.Endpoint.JID().Bare().String(), Key: c.key, Address: c.conn.Peer().Bare().String()}
}

// greetBack heeds what a client says of others with its hello, and answers it.
func (s *Server) greetBack(ctx context.Context, c *client, theirs, ours *protocol.Hello) error {
	said, err := vouch.Read(theirs, c.messages)
	if err != nil {
		return err
	}
	side := s.side(c)
	if err := side.Heed(ctx, said); err != nil {
		s.Log.Warn("what a peer says of others isn't noted", "peer", c.conn.Peer().String(), "key", c.key.String(), "err", err)
	}
	return side.Greet(c.control, ours)
}

// noteClone notes that a client's repository was used with one here, if it is another machine of ours.
func (v *service) noteClone(ctx context.Context, open *protocol.Open, uuid string) {
	side := v.server.side(v.client)
	if err := side.Store.NoteCame(ctx, side.Key, side.Account, open.Client, uuid); err != nil {
		v.log.Warn("clone not noted", "client", open.Client, "err", err)
	}
}
