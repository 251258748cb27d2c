package peers

import (
	"context"
	"slices"

	"git-remote-xmpp/internal/statefile"
)

// Grant returns what was decided for a key and the repository of a UUID here, and whether anything was: for the key itself, or else for those who
// vouch for it. Unlike [Store.Access] it tells a refusal from nothing.
func (s *Store) Grant(key Key, repoUUID string) (access Access, decided bool) {
	repoUUID, err := canonicalUUID(repoUUID)
	if err != nil {
		return None, false
	}
	list, err := s.peers.Read()
	if err != nil {
		return None, false
	}
	if p := list.find(key); p != nil {
		right, decided := list.decided(p, repoUUID)
		return right.Access, decided
	}
	return None, false
}

// ByUUID returns the peer that a repository's UUID is bound to, or [ErrUnknownPeer].
func (s *Store) ByUUID(repoUUID string) (Peer, error) {
	found, err := s.selectPeers(func(_ *peerList, p *Peer) bool { return slices.Contains(p.UUIDs, repoUUID) })
	if err != nil {
		return Peer{}, err
	}
	if len(found) == 0 {
		return Peer{}, ErrUnknownPeer
	}
	return found[0], nil
}

// Reachable notes that a known key serves at a bare JID under a resource. It pins nothing: an address means whom it meant before.
func (s *Store) Reachable(ctx context.Context, key Key, address, resource string) error {
	if err := checkAddress(address); err != nil {
		return err
	}
	if _, err := ResourceID(resource); err != nil {
		return err
	}
	same := func(p *Peer) bool { return p.Resource == resource && !p.stale(address, s.now()) }
	if list, err := s.peers.Read(); err != nil {
		return err
	} else if p := list.find(key); p != nil && same(p) {
		return nil
	}
	return s.notePeer(ctx, key, func(p *Peer) error {
		if same(p) {
			return statefile.ErrUnchanged
		}
		p.Resource = resource
		p.see(address, s.now())
		return nil
	})
}
