package serve

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/schedule"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// A service is one stream on which a peer asks for a service.
type service struct {
	server *Server
	client *client
	stream *countedStream
	log    *slog.Logger
}

// What a peer is told of the UUID that it names.
const (
	copiedUUID   = "the xmpp.uuid of your repository belongs to another key: it was copied; git config --unset xmpp.uuid makes a new one"
	servedUUID   = "the xmpp.uuid of your repository is that of the one served there: it was copied; git config --unset xmpp.uuid makes a new one"
	tooManyUUIDs = "too many repositories have pushed there: ask there to remove peers that aren't needed"
)

// serve reads the open and does as it says.
func (v *service) serve(ctx, stopping context.Context) {
	_ = v.stream.SetReadDeadline(time.Now().Add(openTimeout)) // fails only on a stream that has ended, as the read does
	reader := protocol.NewReader(v.stream)
	m, err := reader.Next()
	if err != nil {
		v.cancel(protocol.CodeProtocol)
		return
	}
	_ = v.stream.SetReadDeadline(time.Time{})
	open, ok := m.(*protocol.Open)
	if !ok {
		v.cancel(protocol.CodeProtocol)
		return
	}
	log := v.log.With("service", open.Service.String(), "repository", open.Repository)
	job, err := v.authorise(ctx, open)
	if err == nil && stopping.Err() != nil {
		err = &protocol.Refuse{Code: protocol.CodeShutdown}
	}
	if err != nil {
		v.refuse(log, open.Service, err)
		return
	}
	waited := false
	turn, err := v.server.turns.enter(v.stream.Context(), job, func(before int) error { // ends when the peer gives up
		waited = true
		return v.tell(before)
	})
	if err != nil {
		v.refuse(log, open.Service, err)
		return
	}
	defer turn.leave()
	if waited { // access may be gone, or another repository be there
		if job, err = v.authorise(ctx, open); err != nil {
			v.refuse(log, open.Service, err)
			return
		}
	}
	job.turn = turn
	job.run(ctx, reader, log)
}

// tell tells the peer its place. Its turn may come meanwhile: one that doesn't read mustn't keep it for ever.
func (v *service) tell(before int) error {
	_ = v.stream.SetWriteDeadline(time.Now().Add(v.server.Timeout)) // fails only on a stream that has ended, as the write does
	err := protocol.Write(v.stream, &protocol.Queued{Before: uint32(before)})
	_ = v.stream.SetWriteDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &protocol.Refuse{Code: protocol.CodeTimeout}
	}
	return err
}

// authorise finds the repository and checks that the peer may do what it asks for.
func (v *service) authorise(ctx context.Context, open *protocol.Open) (*job, error) {
	key := v.client.key
	entry, err := v.server.Catalog.Find(ctx, open.Repository, func(uuid string) bool { return v.server.access(key, uuid) >= peers.Read })
	if err != nil {
		return nil, err
	}
	right := v.server.right(key, entry.UUID)
	if open.Service.Writes() && right.Access < peers.Write {
		return nil, &protocol.Refuse{Code: protocol.CodeReadOnly}
	}
	if open.Client != "" {
		if open.Service.Writes() && open.Client == entry.UUID {
			return nil, &protocol.Refuse{Code: protocol.CodeUUIDBound, Text: servedUUID}
		}
		if err := v.server.Store.ClaimUUID(ctx, key, open.Client, right.Access); err != nil {
			return nil, claimRefusal(err)
		}
		v.noteClone(ctx, open, entry.UUID)
	}
	label := v.client.peer.Label
	if label == "" {
		label = v.client.conn.Peer().Bare().String()
	}
	merges := open.Merges && (entry.UUID > open.Client || v.server.Sync != nil && v.server.Sync.LeavesMerging(entry.UUID)) // of all that would merge, one does
	return &job{
		service: v, open: open, entry: entry, timeout: v.server.Timeout,
		sender: repo.Sender{JID: v.client.conn.Peer().Bare().String(), UUID: open.Client, Key: key.String(), Label: label},
		policy: repo.Policy{Mode: string(entry.Settings.PushMode), Integrate: string(entry.Settings.Integrate), SenderMerges: merges, Refs: right.Refs, Told: v.server.Notify != nil && entry.Settings.Notify.Domainpart() != ""},
	}, nil
}

// claimRefusal is what a peer is told if it can't have the UUID that it names.
func claimRefusal(err error) error {
	switch {
	case errors.Is(err, peers.ErrUUIDBound):
		return &protocol.Refuse{Code: protocol.CodeUUIDBound, Text: copiedUUID}
	case errors.Is(err, peers.ErrTooMany):
		return &protocol.Refuse{Code: protocol.CodeRefused, Text: tooManyUUIDs}
	}
	return err
}

// right is what a key may do with the repository of a UUID: what was granted, or, with a repository that is kept in step, what those behind its
// remotes may do.
func (s *Server) right(key peers.Key, uuid string) peers.Right {
	right := s.Store.Right(key, uuid)
	if right.Access < peers.Write && s.Sync != nil && s.Sync.Trusts(key, uuid) {
		return peers.Right{Access: peers.Write}
	}
	return right
}

func (s *Server) access(key peers.Key, uuid string) peers.Access { return s.right(key, uuid).Access }

// refuse tells the peer why not, with what it may know: errors of ours are told as such only to the log.
func (v *service) refuse(log *slog.Logger, asked protocol.Service, err error) {
	var refusal *protocol.Refuse
	result := Refused
	defer func() { v.server.counts.add(asked, result) }()
	switch {
	case v.stream.Context().Err() != nil: // there is nobody to tell
		result = Cancelled
		log.Info("given up by the peer", "err", v.client.conn.Explain(context.Cause(v.stream.Context())))
		v.cancel(protocol.CodeCancelled)
		return
	case errors.As(err, &refusal):
		log.Info("refused", "err", err)
	case errors.Is(err, schedule.ErrBusy):
		log.Info("refused", "err", err)
		refusal = &protocol.Refuse{Code: protocol.CodeBusy}
	default:
		result = Broken
		log.Error("failed", "err", err)
		refusal = &protocol.Refuse{Code: protocol.CodeInternal}
	}
	_ = v.stream.SetWriteDeadline(time.Now().Add(refusalGrace)) // a peer that is gone isn't waited for
	if protocol.Write(v.stream, refusal) == nil {
		_ = v.stream.Close() // it has been told
	} else {
		v.stream.CancelWrite(transport.StreamCode(refusal.Code))
	}
	v.stream.CancelRead(transport.StreamCode(refusal.Code))
}

// cancel gives up both directions of the stream.
func (v *service) cancel(code protocol.Code) {
	v.stream.CancelRead(transport.StreamCode(code))
	v.stream.CancelWrite(transport.StreamCode(code))
}
