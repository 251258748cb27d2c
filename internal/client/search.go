package client

import (
	"errors"
	"fmt"
	"slices"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

// A Target is a peer that may stand behind an address.
type Target struct {
	Key   peers.Key
	Label string

	resource string
	secret   *peers.Secret // of the invite that it is known by
}

// A Search goes through the peers behind an address until one of them serves what is asked for.
type Search struct {
	address  jid.JID
	targets  []Target
	next     int
	failures []error
}

// NewSearch begins a search for a repository's name or UUID among the peers that are known at an address: those first that served the
// repository of that UUID before, then the one that was seen last.
func NewSearch(store *peers.Store, address jid.JID, repository string) (*Search, error) {
	pinned, err := store.Pinned(address.String())
	if err != nil {
		return nil, err
	}
	s := &Search{address: address}
	var others []Target
	for _, p := range pinned {
		t := Target{Key: p.Key, Label: p.Label, resource: p.Resource}
		switch {
		case p.Resource == "":
		case slices.Contains(p.Serves, repository):
			s.targets = append(s.targets, t)
		default:
			others = append(others, t)
		}
	}
	s.targets = append(s.targets, others...)
	if len(s.targets) == 0 {
		return nil, noKey(address)
	}
	return s, nil
}

// NewKeySearch begins a search that knows but the peer with one key, which was seen at the address or is pinned there.
func NewKeySearch(store *peers.Store, address jid.JID, key peers.Key) (*Search, error) {
	p, err := store.ByKey(key)
	switch {
	case errors.Is(err, peers.ErrUnknownPeer), err == nil && (p.Resource == "" || !slices.Contains(p.Addresses, address.String())):
		return nil, noKey(address)
	case err != nil:
		return nil, err
	}
	return &Search{address: address, targets: []Target{{Key: p.Key, Label: p.Label, resource: p.Resource}}}, nil
}

// NewInviteSearch begins a search that knows but the peer of an invite.
func NewInviteSearch(address jid.JID, invite string) (*Search, error) {
	token, err := peers.ParseToken(invite)
	if err != nil {
		return nil, err
	}
	return &Search{address: address, targets: []Target{{Key: token.Key, resource: peers.ResourceName(token.Resource), secret: &token.Secret}}}, nil
}

// NewLookSearch is [NewInviteSearch] for who leaves the invite as good as it is: the peer answers only those whom it knows.
func NewLookSearch(address jid.JID, invite string) (*Search, error) {
	s, err := NewInviteSearch(address, invite)
	if err == nil {
		s.targets[0].secret = nil
	}
	return s, err
}

func noKey(address jid.JID) error {
	return fmt.Errorf("%w for %s: ask for an invite there (git-remote-xmpp invite) and clone or fetch with its URL once", ErrNoKey, address)
}

// Choice tells whether there is more than one peer to choose from.
func (s *Search) Choice() bool { return len(s.targets) > 1 }

// Known is how many peers there are to choose from.
func (s *Search) Known() int { return len(s.targets) }

// More tells whether there are peers to try after this one.
func (s *Search) More() bool { return s.next < len(s.targets) }

// Next returns the first peer to try, or, told why it isn't the one before, the next. After a failure that isn't [Elsewhere], or without another peer,
// the error says why there is none.
func (s *Search) Next(failure error) (Target, error) {
	if failure != nil {
		s.failures = append(s.failures, failure)
		if !Elsewhere(failure) {
			return Target{}, failure
		}
	}
	if s.next == len(s.targets) {
		return Target{}, s.failure()
	}
	s.next++
	return s.targets[s.next-1], nil
}

// Elsewhere tells whether, after a failure, another peer may have what this one hasn't: it is offline, or has no such repository.
func Elsewhere(failure error) bool {
	return errors.Is(failure, transport.ErrNobody) || errors.Is(failure, protocol.CodeNoRepository)
}

// failure says why no peer is the one.
func (s *Search) failure() error {
	total, offline := len(s.failures), 0
	var first error
	for _, err := range s.failures {
		if errors.Is(err, transport.ErrNobody) {
			offline++
			if first == nil {
				first = err
			}
		}
	}
	switch offline {
	case 0:
		return s.failures[0]
	case total:
		if total == 1 {
			return first
		}
		return fmt.Errorf("none of the %d peers known at %s: %w", total, s.address, first)
	default:
		return fmt.Errorf("peers known at %s: %d without such a repository, %d not online: %w", s.address, total-offline, offline, first)
	}
}
