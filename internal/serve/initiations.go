package serve

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/protocol"
)

const (
	// answerTimeout is how long an initiation may take to answer.
	answerTimeout = 20 * time.Second
	// maxAnswering is how many initiations of one key are worked on at once: each costs some git processes.
	maxAnswering = 2
	// maxUnknown is how many messages that mean nothing here a peer may send on its control stream.
	maxUnknown = 100
)

// initiations answers what comes on a connection's control stream after the hellos, one after the other, until the stream ends. It never waits
// for a turn: a peer learns at once whether a push of its own is wanted, whatever runs. Only of what one key asks, over any number of connections, no
// more than maxAnswering is worked on at once.
func (s *Server) initiations(ctx context.Context, c *client) {
	for unknown := 0; unknown < maxUnknown; {
		m, err := c.messages.Next()
		if err != nil {
			return // the stream or the connection has ended, or what came isn't understood
		}
		answers, known := s.respond(ctx, c, m)
		if !known {
			unknown++
		}
		_ = c.control.SetWriteDeadline(time.Now().Add(answerTimeout)) // fails only on a stream that has ended, as the write does
		for _, a := range answers {
			if err := protocol.Write(c.control, a); err != nil {
				return
			}
		}
	}
}

// respond does what a message asks for. What it doesn't know of isn't answered.
func (s *Server) respond(ctx context.Context, c *client, m protocol.Message) (answers []protocol.Message, known bool) {
	leave, err := s.answering.Take(ctx, c.key)
	if err != nil {
		return nil, true // the connection has ended
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	log := s.Log.With("peer", c.conn.Peer().String())
	switch m := m.(type) {
	case *protocol.CanPush:
		return []protocol.Message{s.offered(ctx, c, m, log.With("client", m.From, "repository", m.To))}, true
	case *protocol.Announce:
		return []protocol.Message{s.announced(ctx, c, m, log.With("client", m.From, "repository", m.Repository))}, true
	case *protocol.PushRequest:
		log := log.With("client", m.From, "repository", m.To)
		if len(m.Refs) > 0 {
			s.requested(ctx, c, m, log)
			return nil, true
		}
		return s.asked(ctx, c, m, log), true
	case *protocol.NothingNeeded: // the answer to what asked has said
		return nil, true
	default:
		return nil, false
	}
}

// find finds the repository of a UUID, if the client's key has so much access, and the repository that it names as its own isn't another's.
func (s *Server) find(ctx context.Context, c *client, client, uuid string, least peers.Access) (Entry, error) {
	entry, err := s.Catalog.Find(ctx, uuid, func(id string) bool { return id == uuid && s.access(c.key, id) >= least })
	if err != nil {
		return Entry{}, err
	}
	return entry, s.Store.ClaimUUID(ctx, c.key, client, s.access(c.key, uuid))
}

// offered asks for a push if the client may push to the repository and has what it lacks.
func (s *Server) offered(ctx context.Context, c *client, offer *protocol.CanPush, log *slog.Logger) protocol.Message {
	nothing := &protocol.NothingNeeded{From: offer.To, To: offer.From}
	entry, err := s.find(ctx, c, offer.From, offer.To, peers.Write)
	if err != nil {
		log.Info("offer declined", "err", err)
		return nothing
	}
	var answer protocol.Message = nothing
	if len(offer.Refs) > 0 {
		tips := syncer.TipsOf(offer)
		if s.Sync != nil {
			s.Sync.Offered(ctx, entry.UUID, c.key, offer.From, tips)
		}
		var wanted []repo.Tip
		if wanted, err = entry.Repo.Wanted(ctx, offer.From, s.right(c.key, entry.UUID).Refs, tips); len(wanted) > 0 {
			answer = s.wanted(entry.UUID, c, offer, wanted)
		}
	} else {
		var lacks bool
		if lacks, err = entry.Repo.Lacks(ctx, idsOf(offer)); lacks {
			answer = &protocol.PushRequest{From: offer.To, To: offer.From}
		}
	}
	if err != nil { // what is there already costs a push nothing; what isn't wanted would not be offered again
		log.Warn("offer not compared", "err", err)
		return &protocol.PushRequest{From: offer.To, To: offer.From, Refs: offer.Refs}
	}
	log.Debug("offered a push", "tips", len(offer.Tips), "answer", answer.Type())
	return answer
}

// wanted asks for a push of what is wanted. What is about to come from another peer isn't named.
func (s *Server) wanted(repository string, c *client, offer *protocol.CanPush, wanted []repo.Tip) protocol.Message {
	if s.Sync != nil {
		wanted = s.Sync.Expect(repository, c.key, offer.From, wanted)
	}
	if len(wanted) == 0 {
		return &protocol.PushRequest{From: offer.To, To: offer.From}
	}
	return syncer.Answer(offer, wanted)
}

func idsOf(offer *protocol.CanPush) []string {
	var ids []string
	for _, tip := range offer.Tips {
		ids = append(ids, hex.EncodeToString(tip))
	}
	return ids
}

// announced notes a clone of a repository.
func (s *Server) announced(ctx context.Context, c *client, m *protocol.Announce, log *slog.Logger) protocol.Message {
	if s.Sync == nil {
		return &protocol.Refuse{Code: protocol.CodeRefused, Text: "nothing is kept in sync there"}
	}
	entry, err := s.Catalog.Find(ctx, m.Repository, func(id string) bool { return s.access(c.key, id) >= peers.Read })
	switch {
	case err != nil:
	case m.From == entry.UUID:
		err = &protocol.Refuse{Code: protocol.CodeUUIDBound, Text: servedUUID}
	default:
		err = claimRefusal(s.Store.ClaimUUID(ctx, c.key, m.From, s.access(c.key, entry.UUID)))
	}
	if err == nil && c.serves != "" {
		r := syncer.Repository{Repo: entry.Repo, UUID: entry.UUID, Name: entry.Name, Settings: entry.Settings}
		err = s.Sync.Announced(ctx, r, c.key, m.From, c.conn.Peer().Bare(), c.serves)
	}
	if err != nil {
		log.Info("announcement refused", "err", err)
		return refusalOf(err)
	}
	log.Debug("announced", "uuid", entry.UUID)
	return &protocol.Announced{From: entry.UUID, To: m.From}
}

// refusalOf is what a peer may know of an error.
func refusalOf(err error) *protocol.Refuse {
	var refusal *protocol.Refuse
	if errors.As(err, &refusal) {
		return refusal
	}
	return &protocol.Refuse{Code: protocol.CodeInternal}
}

// asked says what there is.
func (s *Server) asked(ctx context.Context, c *client, m *protocol.PushRequest, log *slog.Logger) []protocol.Message {
	nothing := []protocol.Message{&protocol.NothingNeeded{From: m.To, To: m.From}}
	entry, err := s.find(ctx, c, m.From, m.To, peers.Read)
	if err != nil {
		log.Info("request declined", "err", err)
		return nothing
	}
	tips, err := entry.Repo.Tips(ctx)
	if err != nil {
		log.Warn("refs not read", "err", err)
		return nothing
	}
	var answers []protocol.Message
	for _, offer := range syncer.Offers(m.To, m.From, tips) {
		answers = append(answers, offer)
	}
	if answers == nil {
		return nothing
	}
	return answers
}

// requested has what a client wants pushed to it.
func (s *Server) requested(ctx context.Context, c *client, m *protocol.PushRequest, log *slog.Logger) {
	entry, err := s.find(ctx, c, m.From, m.To, peers.Read)
	if err != nil || s.Sync == nil {
		log.Info("request declined", "err", err)
		return
	}
	tips, err := entry.Repo.Tips(ctx)
	if err != nil {
		log.Warn("refs not read", "err", err)
		return
	}
	refs := slices.DeleteFunc(m.Refs, func(ref string) bool {
		return !slices.ContainsFunc(tips, func(t repo.Tip) bool { return t.Ref == ref })
	})
	log.Debug("asked for a push", "refs", len(refs))
	if len(refs) > 0 {
		s.Sync.Requested(entry.UUID, c.key, m.From, refs)
	}
}
