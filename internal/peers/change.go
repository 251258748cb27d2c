package peers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"git-remote-xmpp/internal/statefile"
)

// Pin says that key is whom we expect at address (a bare JID) from now on,
// with a resource and a label of its own; empty ones leave what is known. It
// adds the peer if it is new. Other keys stay pinned to that address as well:
// several installations may share an account.
func (s *Store) Pin(ctx context.Context, key Key, address, resource, label string) error {
	if err := checkAddress(address); err != nil {
		return err
	}
	if err := checkLabel(label); err != nil {
		return err
	}
	if resource != "" {
		if _, err := ResourceID(resource); err != nil {
			return err
		}
	}
	return s.changePeers(ctx, func(l *peerList) error {
		p, err := l.add(key, s.now())
		if err != nil {
			return err
		}
		if resource != "" {
			p.Resource = resource
		}
		if label != "" {
			p.Label = label
		}
		return p.pin(address, s.now())
	})
}

// Seen notes that a known key was just at address. It writes when the address
// is new, or the last note is some time ago.
func (s *Store) Seen(ctx context.Context, key Key, address string) error {
	if err := checkAddress(address); err != nil {
		return err
	}
	p, err := s.ByKey(key)
	if err != nil {
		return err
	}
	if !p.stale(address, s.now()) {
		return nil
	}
	return s.notePeer(ctx, key, func(p *Peer) error {
		if !p.stale(address, s.now()) {
			return statefile.ErrUnchanged
		}
		p.see(address, s.now())
		return nil
	})
}

// Remove forgets a peer, and those whom only it vouched for: it may do nothing
// here any more, and neither the invite that it came with nor anybody's word
// lets it in again. A new invite does.
func (s *Store) Remove(ctx context.Context, key Key) error {
	return statefile.Lock(ctx, s.dir, func() error {
		// Invites first: whatever happens in between, nothing is let in again.
		if err := s.invites.Update(func(l *inviteList) error {
			return l.settle(func(v storedInvite) bool { return v.UsedBy == key })
		}); err != nil {
			return err
		}
		return s.peers.Update(func(l *peerList) error {
			if l.find(key) == nil {
				return ErrUnknownPeer
			}
			l.remove(key)
			return nil
		})
	})
}

// ClaimUUID tells whether a key that has a right may come from the repository
// clientUUID: no other key has it. Who may write takes it so: the first such key
// has it. Who may only read takes nothing from those who will write, and leaves
// nothing on disk. It returns [ErrUUIDBound] if the repository is another key's,
// [ErrUnknownPeer] to a key that isn't known and [ErrTooMany] to one that has
// too many.
func (s *Store) ClaimUUID(ctx context.Context, key Key, clientUUID string, access Access) error {
	id, err := canonicalUUID(clientUUID)
	if err != nil {
		return err
	}
	list, err := s.peers.Read()
	if err != nil {
		return err
	}
	if bound, err := list.bound(key, id); bound || err != nil || access < Write {
		return err
	}
	return s.notePeers(ctx, func(l *peerList) error {
		bound, err := l.bound(key, id)
		if err != nil {
			return err
		}
		if bound {
			return statefile.ErrUnchanged
		}
		p := l.find(key)
		most := maxUUIDsPerKey
		if !p.known() {
			most = maxUUIDsPerVouched
		}
		if len(p.UUIDs) >= most {
			return fmt.Errorf("%w repositories of one key: %d", ErrTooMany, most)
		}
		p.UUIDs = append(p.UUIDs, id)
		return nil
	})
}

// bound tells whether a repository belongs to key already, and fails if it
// can't.
func (l *peerList) bound(key Key, id string) (bool, error) {
	if l.find(key) == nil {
		return false, ErrUnknownPeer
	}
	for i := range l.Peers {
		if slices.Contains(l.Peers[i].UUIDs, id) {
			if l.Peers[i].Key != key {
				return false, ErrUUIDBound
			}
			return true, nil
		}
	}
	return false, nil
}

// changePeer changes one known peer under the lock.
func (s *Store) changePeer(ctx context.Context, key Key, change func(*Peer) error) error {
	return s.changePeers(ctx, ofPeer(key, change))
}

// notePeer is changePeer for what isn't decided by the owner.
func (s *Store) notePeer(ctx context.Context, key Key, change func(*Peer) error) error {
	return s.notePeers(ctx, ofPeer(key, change))
}

func ofPeer(key Key, change func(*Peer) error) func(*peerList) error {
	return func(l *peerList) error {
		p := l.find(key)
		if p == nil {
			return ErrUnknownPeer
		}
		return change(p)
	}
}

func (p *Peer) pin(address string, now time.Time) error {
	if !slices.Contains(p.PinnedAddresses, address) {
		if len(p.PinnedAddresses) >= maxSeenAddresses {
			return fmt.Errorf("%w addresses of one peer: %d", ErrTooMany, maxSeenAddresses)
		}
		p.PinnedAddresses = append(p.PinnedAddresses, address)
	}
	p.see(address, now)
	return nil
}

// stale tells whether there is something to note about a peer at address.
func (p *Peer) stale(address string, now time.Time) bool {
	age := now.Sub(p.LastSeen)
	return age >= seenInterval || age < 0 || !slices.Contains(p.Addresses, address)
}

// see notes an address. Over the limits, the oldest ones that aren't pinned go.
func (p *Peer) see(address string, now time.Time) {
	p.LastSeen = now
	if slices.Contains(p.Addresses, address) {
		return
	}
	p.Addresses = append(p.Addresses, address)
	seen, size := 0, 0
	for _, a := range slices.Backward(slices.Clone(p.Addresses)) {
		if slices.Contains(p.PinnedAddresses, a) {
			continue
		}
		seen, size = seen+1, size+len(a)
		if seen > maxSeenAddresses || size > maxSeenAddressBytes && seen > 1 {
			p.Addresses = slices.DeleteFunc(p.Addresses, func(o string) bool { return o == a })
		}
	}
}
