// Package vouch is what two installations tell each other of third ones when
// they connect: which further machines are the same person's, and, between
// machines of one person, whom each knows. It fills hellos and makes the frames
// that follow them, and puts what came into the store.
//
// It knows nothing of connections; who may be told what, and whose word counts,
// is for package peers.
package vouch

import (
	"context"
	"errors"
	"fmt"
	"io"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
)

// A Side is one end of a connection: the store here, our account, and the key at
// the other end with the bare JID that it is at.
type Side struct {
	Store   *peers.Store
	Account string
	Key     peers.Key
	Address string
}

// Greet writes a hello with what the peer is to be told of others.
func (s Side) Greet(w io.Writer, hello *protocol.Hello) error {
	shares, err := s.fill(hello)
	if err != nil {
		return err
	}
	hello.Shares = uint32(len(shares))
	if err := protocol.Write(w, hello); err != nil {
		return err
	}
	for _, m := range shares {
		if err := protocol.Write(w, m); err != nil {
			return err
		}
	}
	return nil
}

func (s Side) fill(hello *protocol.Hello) ([]*protocol.Share, error) {
	vouched, err := s.Store.ToVouch(s.Account, s.Key)
	if err != nil {
		return nil, err
	}
	for _, v := range vouched {
		hello.Vouches = append(hello.Vouches, protocol.Vouch{Key: v.Key[:], Resource: v.Resource, Label: label(v.Label)})
	}
	shared, err := s.Store.ToShare(s.Account, s.Key)
	if err != nil {
		return nil, err
	}
	return frames(shared)
}

// frames puts what is shared into frames, as much as goes into them.
func frames(shared []peers.Vouched) ([]*protocol.Share, error) {
	var list []*protocol.Share
	var last *protocol.Share
	for _, v := range shared {
		if len(v.Address) > protocol.MaxSharedAddress {
			continue
		}
		entry := protocol.Shared{
			Repository: v.Repository, Access: protocol.SharedRight(v.Access),
			Key: v.Key[:], Address: v.Address, Pinned: v.Pinned, Resource: v.Resource, Label: label(v.Label),
		}
		if last != nil && fits(last, entry) {
			last.Entries = append(last.Entries, entry)
			continue
		}
		if len(list) == protocol.MaxShareFrames {
			break
		}
		last = &protocol.Share{Entries: []protocol.Shared{entry}}
		if _, err := protocol.Append(nil, last); err != nil {
			return nil, err
		}
		list = append(list, last)
	}
	return list, nil
}

// fits tells whether a frame has room for one more entry.
func fits(m *protocol.Share, entry protocol.Shared) bool {
	_, err := protocol.Append(nil, &protocol.Share{Entries: append(m.Entries[:len(m.Entries):len(m.Entries)], entry)})
	return err == nil
}

// label is a label of ours, or none if it can't be said as it is.
func label(text string) string {
	if protocol.ValidLabel(text) != nil {
		return ""
	}
	return text
}

// Said is what a peer said of others.
type Said struct {
	vouched, shared []peers.Vouched
}

// Read takes what a hello says of others, and reads the frames that it announces.
func Read(hello *protocol.Hello, r *protocol.Reader) (Said, error) {
	var said Said
	for _, v := range hello.Vouches {
		said.vouched = append(said.vouched, peers.Vouched{Key: peers.Key(v.Key), Resource: v.Resource, Label: v.Label})
	}
	for range hello.Shares {
		m, err := r.Next()
		if err != nil {
			return Said{}, err
		}
		share, ok := m.(*protocol.Share)
		if !ok {
			return Said{}, fmt.Errorf("%w: type %#02x in the place of what is shared", protocol.ErrMalformed, byte(m.Type()))
		}
		for _, e := range share.Entries {
			said.shared = append(said.shared, peers.Vouched{
				Repository: e.Repository, Access: peers.Access(e.Access),
				Key: peers.Key(e.Key), Address: e.Address, Pinned: e.Pinned, Resource: e.Resource, Label: e.Label,
			})
		}
	}
	return said, nil
}

// Heed puts what the peer said into the store: what it said before counts no more.
func (s Side) Heed(ctx context.Context, said Said) error {
	return errors.Join(
		s.Store.Vouch(ctx, s.Key, s.Address, said.vouched),
		s.Store.Share(ctx, s.Key, s.Account, said.shared))
}
