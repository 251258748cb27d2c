package peers

import (
	"context"
	"slices"
	"time"
)

// maxServedPerKey is how many repositories that a peer serves are remembered.
const maxServedPerKey = 100

// Served notes that a known key, which we connected to at a bare JID, serves the repository of a UUID. It writes when that is new, when
// another peer there was seen later, or when the last note is some time ago.
func (s *Store) Served(ctx context.Context, key Key, address, repoUUID string) error {
	if err := checkAddress(address); err != nil {
		return err
	}
	id, err := canonicalUUID(repoUUID)
	if err != nil {
		return err
	}
	list, err := s.peers.Read()
	if err != nil || !list.newlyServed(key, address, id, s.now()) {
		return err
	}
	return s.notePeer(ctx, key, func(p *Peer) error {
		p.see(address, s.now())
		p.serve(id)
		return nil
	})
}

func (l *peerList) newlyServed(key Key, address, id string, now time.Time) bool {
	p := l.find(key)
	return p == nil || !slices.Contains(p.Serves, id) || p.stale(address, now) ||
		slices.ContainsFunc(l.Peers, func(other Peer) bool {
			return other.Key != key && l.pinned(&other, address) && !other.LastSeen.Before(p.LastSeen)
		})
}

// serve notes a repository. Over the limit, the oldest goes.
func (p *Peer) serve(id string) {
	if slices.Contains(p.Serves, id) {
		return
	}
	p.Serves = append(p.Serves, id)
	if n := len(p.Serves) - maxServedPerKey; n > 0 {
		p.Serves = slices.Delete(p.Serves, 0, n)
	}
}

// SetLabel says what a known key is called here; empty takes the label away.
func (s *Store) SetLabel(ctx context.Context, key Key, label string) error {
	if err := checkLabel(label); err != nil {
		return err
	}
	return s.changePeer(ctx, key, func(p *Peer) error {
		p.Label = label
		return nil
	})
}
