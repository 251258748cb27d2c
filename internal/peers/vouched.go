package peers

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// A Vouched is what is said of a third installation.
type Vouched struct {
	Key      Key
	Resource string
	Label    string

	// The rest is there only if it is shared.
	Address    string // bare JID
	Pinned     bool   // it is expected there
	Repository string // UUID, where it is said to; may be empty
	Access     Access
}

// Vouch takes in all whom a peer, at a bare JID, says to be further machines of
// its own. They may do what it may; and where it is pinned they are, too. Who
// isn't in the list any more loses its word. Keys that are known otherwise, or
// were removed here, are left alone, and the word of a peer that is itself only
// vouched for, or may do nothing, doesn't count.
func (s *Store) Vouch(ctx context.Context, by Key, address string, list []Vouched) error {
	if err := checkAddress(address); err != nil {
		return err
	}
	if len(list) > maxVouchedPerKey {
		return fmt.Errorf("%w vouched for: %d", ErrTooMany, len(list))
	}
	return s.takeIn(ctx, by, false, func(l *peerList) map[Key]Vouch {
		voucher := l.find(by)
		if voucher == nil || !voucher.mayVouch() {
			return nil
		}
		want := map[Key]Vouch{}
		for _, w := range list {
			p := l.find(w.Key)
			if p != nil && p.known() && !p.vouchedBy(by) {
				continue
			}
			want[w.Key] = Vouch{By: by, Address: address, Resource: w.Resource, Label: w.Label}
		}
		return want
	})
}

// Share takes in all that another machine of the account, ours, says of its
// peers: of them each may do with a repository here what is said, as far as that
// machine may itself, and unless it has a grant here that says otherwise; and
// those that are pinned there are pinned here.
func (s *Store) Share(ctx context.Context, by Key, account string, list []Vouched) error {
	if len(list) > maxSharedPerKey {
		return fmt.Errorf("%w shared: %d", ErrTooMany, len(list))
	}
	return s.takeIn(ctx, by, true, func(l *peerList) map[Key]Vouch {
		if voucher := l.find(by); voucher == nil || !voucher.isSibling(account) {
			return nil
		}
		want := map[Key]Vouch{}
		for _, w := range list {
			v, ok := want[w.Key]
			if !ok {
				v = Vouch{By: by, Address: w.Address, Resource: w.Resource, Label: w.Label, Shared: true, Pinned: w.Pinned}
			}
			if w.Repository != "" {
				v.Access = withAccess(v.Access, w.Repository, max(v.Access[w.Repository], w.Access))
			}
			want[w.Key] = v
		}
		return want
	})
}

func withAccess(to map[string]Access, repoUUID string, a Access) map[string]Access {
	if to == nil {
		to = map[string]Access{}
	}
	to[repoUUID] = a
	return to
}

// takeIn makes what wanted returns all that one peer says, of this kind. It
// writes only if that is something new.
func (s *Store) takeIn(ctx context.Context, by Key, shared bool, wanted func(*peerList) map[Key]Vouch) error {
	list, err := s.peers.Read()
	if err != nil {
		return err
	}
	want := func(l *peerList) map[Key]Vouch { return l.admissible(by, s.Self, shared, wanted(l)) }
	if maps.EqualFunc(list.vouches(by, shared), want(list), Vouch.equal) {
		return nil
	}
	return s.notePeers(ctx, func(l *peerList) error {
		l.replace(by, shared, want(l), func(key Key) {
			l.Peers = append(l.Peers, Peer{Key: key, Added: s.now()})
		})
		return nil
	})
}

// vouches returns what a peer says now.
func (l *peerList) vouches(by Key, shared bool) map[Key]Vouch {
	said := map[Key]Vouch{}
	for _, p := range l.Peers {
		for _, v := range p.Vouches {
			if v.By == by && v.Shared == shared {
				said[p.Key] = v
			}
		}
	}
	return said
}

// admissible leaves out what nobody can say here, and what there is no room for.
func (l *peerList) admissible(by, self Key, shared bool, want map[Key]Vouch) map[Key]Vouch {
	room := maxVouches + len(l.vouches(by, shared))
	for _, p := range l.Peers {
		room -= len(p.Vouches)
	}
	kept := map[Key]Vouch{}
	for _, key := range slices.SortedFunc(maps.Keys(want), Key.compare) { // of too many the same are left out each time
		v := want[key]
		if key == self || key == by || key == (Key{}) || slices.Contains(l.Removed, key) || checkVouches([]Vouch{v}) != nil || len(v.Address) > maxVouchAddressBytes {
			continue
		}
		if len(kept) < room {
			kept[key] = v
		}
	}
	return kept
}

func (l *peerList) replace(by Key, shared bool, want map[Key]Vouch, add func(Key)) {
	for _, key := range slices.SortedFunc(maps.Keys(want), Key.compare) {
		if l.find(key) == nil {
			add(key)
		}
	}
	for i := range l.Peers {
		p := &l.Peers[i]
		p.unvouch(func(v Vouch) bool { return v.By == by && v.Shared == shared })
		if v, ok := want[p.Key]; ok {
			p.Vouches = append(p.Vouches, v)
		}
	}
	l.forgetUnknown()
}

// vouchedBy tells whether a peer says of this one that it is a further machine of its own.
func (p *Peer) vouchedBy(by Key) bool {
	return slices.ContainsFunc(p.Vouches, func(v Vouch) bool { return v.By == by && !v.Shared })
}
