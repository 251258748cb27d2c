package serve

import (
	"context"
	"encoding/hex"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
)

const (
	// answerTimeout is how long an initiation may take to answer.
	answerTimeout = 20 * time.Second
	// maxUnknown is how many messages that mean nothing here a peer may send on its control stream.
	maxUnknown = 100
)

// initiations answers what comes on a connection's control stream after the hellos, one after the other, until the stream ends. It never waits
// for a turn: a peer learns at once whether a push of its own is wanted, whatever runs.
func (s *Server) initiations(ctx context.Context, c *client) {
	for unknown := 0; unknown < maxUnknown; {
		m, err := c.messages.Next()
		if err != nil {
			return // the stream or the connection has ended, or what came isn't understood
		}
		offer, ok := m.(*protocol.CanPush)
		if !ok {
			unknown++
			continue
		}
		_ = c.control.SetWriteDeadline(time.Now().Add(answerTimeout)) // fails only on a stream that has ended, as the write does
		if err := protocol.Write(c.control, s.answer(ctx, c, offer)); err != nil {
			return
		}
	}
}

// answer asks for a push if the client may push to the repository and has what it lacks.
func (s *Server) answer(ctx context.Context, c *client, offer *protocol.CanPush) protocol.Message {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	log := s.Log.With("peer", c.conn.Peer().String(), "client", offer.From, "repository", offer.To)
	wanted, err := s.wants(ctx, c, offer)
	if err != nil {
		log.Info("offer declined", "err", err)
	}
	log.Debug("offered a push", "tips", len(offer.Tips), "wanted", wanted)
	if wanted {
		return &protocol.PushRequest{From: offer.To, To: offer.From}
	}
	return &protocol.NothingNeeded{From: offer.To, To: offer.From}
}

func (s *Server) wants(ctx context.Context, c *client, offer *protocol.CanPush) (bool, error) {
	entry, err := s.Catalog.Find(ctx, offer.To, func(uuid string) bool {
		return uuid == offer.To && s.Store.Access(c.key, uuid) >= peers.Write
	})
	if err != nil {
		return false, err
	}
	if err := s.Store.BindUUID(ctx, c.key, offer.From); err != nil {
		return false, err
	}
	var tips []string
	for _, tip := range offer.Tips {
		tips = append(tips, hex.EncodeToString(tip))
	}
	return entry.Repo.Lacks(ctx, tips)
}
