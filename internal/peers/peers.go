package peers

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"git-remote-xmpp/internal/refname"
)

const (
	// maxPeers is how many peers an installation may know.
	maxPeers = 1000
	// maxUUIDsPerKey is how many repositories one peer may have.
	maxUUIDsPerKey = 256
	// maxSeenAddresses is how many addresses of a peer are remembered, and
	// maxSeenAddressBytes how long they are together: one may be longer.
	maxSeenAddresses    = 16
	maxSeenAddressBytes = 4096
	// minPrefixRunes is how much of a fingerprint names a peer.
	minPrefixRunes = 4
	// seenInterval is how often it is written down that a peer was here.
	seenInterval = 10 * time.Minute
)

var (
	// ErrUnknownPeer says that no peer has this key or fingerprint.
	ErrUnknownPeer = errors.New("unknown peer")
	// ErrAmbiguous says that several peers' fingerprints begin like this.
	ErrAmbiguous = errors.New("several peers have a key that begins so: give more of it")
	// ErrUUIDBound says that a repository belongs to another key.
	ErrUUIDBound = errors.New("this repository's UUID belongs to another key")
	// ErrTooMany says that a list is full.
	ErrTooMany = errors.New("too many")
)

// Peer is another installation, and what is known of it here.
type Peer struct {
	Key   Key    `json:"key"`
	Label string `json:"label,omitempty"`
	// Addresses are the bare JIDs that it was seen at or pinned to. What is
	// only seen says where packets may come from, not whom an address means.
	Addresses []string `json:"addresses,omitempty"`
	// PinnedAddresses are those at which we expect this key when we connect:
	// an invite or a remote said so.
	PinnedAddresses []string          `json:"pinnedAddresses,omitempty"`
	Pinned          bool              `json:"-"` // it has pinned addresses
	Resource        string            `json:"resource,omitempty"`
	Grants          map[string]Access `json:"grants,omitempty"` // of its own, by the UUID of a repository here
	// Limits are of grants of write: to these refs only.
	Limits map[string]refname.Patterns `json:"limits,omitempty"`
	UUIDs  []string                    `json:"uuids,omitempty"` // of repositories there
	// Clones are its repositories that are used with some here; noted of our own
	// other machines only.
	Clones []Clone `json:"clones,omitempty"`
	// Serves are the UUIDs of repositories that it served to us, the oldest first.
	Serves   []string  `json:"serves,omitempty"`
	Added    time.Time `json:"added"`
	LastSeen time.Time `json:"lastSeen,omitzero"`

	// Vouches are what others say of it. What follows from them is in what the
	// methods of a Store return, and not on disk: in Addresses,
	// PinnedAddresses, Resource, Label, and here.
	Vouches   []Vouch           `json:"vouches,omitempty"`
	VouchedBy []Key             `json:"-"`
	Access    map[string]Access `json:"-"` // what it may do, by the UUID of a repository here
	// Refs are those that it may change, where it may write, but not to all.
	Refs map[string]refname.Patterns `json:"-"`
}

// List returns all peers, in the order in which they were added.
func (s *Store) List() ([]Peer, error) {
	return s.selectPeers(func(*peerList, *Peer) bool { return true })
}

// ByKey returns the peer with a key, or [ErrUnknownPeer].
func (s *Store) ByKey(key Key) (Peer, error) {
	list, err := s.peers.Read()
	if err != nil {
		return Peer{}, err
	}
	p := list.find(key)
	if p == nil {
		return Peer{}, ErrUnknownPeer
	}
	return list.view(p), nil
}

// ByAddress returns the peers that were seen at, pinned to or vouched for at a
// bare JID.
func (s *Store) ByAddress(address string) ([]Peer, error) {
	return s.selectPeers(func(_ *peerList, p *Peer) bool {
		return slices.Contains(p.Addresses, address) || slices.ContainsFunc(p.Vouches, func(v Vouch) bool { return v.Address == address })
	})
}

// Pinned returns the peers whose keys are expected at a bare JID, the one seen
// last first.
func (s *Store) Pinned(address string) ([]Peer, error) {
	list, err := s.peers.Read()
	if err != nil {
		return nil, err
	}
	var found []Peer
	for i := range list.Peers {
		p := &list.Peers[i]
		vouch := list.pinning(p, address)
		switch {
		case slices.Contains(p.PinnedAddresses, address):
			found = append(found, list.view(p))
		case vouch != nil:
			view := list.view(p)
			view.Resource = cmp.Or(p.Resource, vouch.Resource) // another voucher's word doesn't count at this address
			found = append(found, view)
		}
	}
	slices.SortStableFunc(found, func(a, b Peer) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), b.Added.Compare(a.Added))
	})
	return found, nil
}

// Find returns the one peer whose fingerprint begins with prefix, with or
// without "SHA256:"; at least four characters of it. Otherwise it returns
// [ErrUnknownPeer] or [ErrAmbiguous].
func (s *Store) Find(prefix string) (Peer, error) {
	prefix = strings.TrimPrefix(prefix, fingerprintPrefix)
	if len(prefix) < minPrefixRunes {
		return Peer{}, fmt.Errorf("%w: give at least %d characters of its key", ErrUnknownPeer, minPrefixRunes)
	}
	found, err := s.selectPeers(func(_ *peerList, p *Peer) bool {
		return strings.HasPrefix(p.Key.String(), fingerprintPrefix+prefix)
	})
	switch {
	case err != nil:
		return Peer{}, err
	case len(found) == 0:
		return Peer{}, ErrUnknownPeer
	case len(found) > 1:
		return Peer{}, ErrAmbiguous
	}
	return found[0], nil
}

// Access returns what a key may do with the repository of a UUID here: none,
// if the key is unknown, or the store can't be read (see [Store.Check]).
func (s *Store) Access(key Key, repoUUID string) Access {
	return s.Right(key, repoUUID).Access
}

func (s *Store) selectPeers(match func(*peerList, *Peer) bool) ([]Peer, error) {
	list, err := s.peers.Read()
	if err != nil {
		return nil, err
	}
	var found []Peer
	for i := range list.Peers {
		if p := &list.Peers[i]; match(list, p) {
			found = append(found, list.view(p))
		}
	}
	return found, nil
}

// peerList is the content of peers.json.
type peerList struct {
	Peers []Peer `json:"peers"`
	// Removed are keys that nobody may vouch for: they were removed here.
	Removed []Key `json:"removed,omitempty"`
}

func (l *peerList) find(key Key) *Peer {
	i := slices.IndexFunc(l.Peers, func(p Peer) bool { return p.Key == key })
	if i < 0 {
		return nil
	}
	return &l.Peers[i]
}

// add returns the peer with a key, a new one if there is none yet.
func (l *peerList) add(key Key, now time.Time) (*Peer, error) {
	l.Removed = slices.DeleteFunc(l.Removed, func(k Key) bool { return k == key })
	if p := l.find(key); p != nil {
		return p, nil
	}
	known := 0
	for i := range l.Peers {
		if p := &l.Peers[i]; p.known() || len(p.Vouches) == 0 {
			known++
		}
	}
	if known >= maxPeers {
		return nil, fmt.Errorf("%w peers: %d", ErrTooMany, maxPeers)
	}
	l.Peers = append(l.Peers, Peer{Key: key, Added: now})
	return &l.Peers[len(l.Peers)-1], nil
}

// clone returns a copy that shares nothing with p.
func (p *Peer) clone() Peer {
	c := *p
	c.Addresses = slices.Clone(p.Addresses)
	c.PinnedAddresses = slices.Clone(p.PinnedAddresses)
	c.UUIDs = slices.Clone(p.UUIDs)
	c.Serves = slices.Clone(p.Serves)
	c.Clones = slices.Clone(p.Clones)
	c.Grants = maps.Clone(p.Grants)
	c.Limits = cloneLimits(p.Limits)
	c.Vouches = slices.Clone(p.Vouches)
	return c
}
