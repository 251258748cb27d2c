package peers

import (
	"cmp"
	"maps"
	"slices"

	"git-remote-xmpp/internal/refname"
)

const (
	// maxVouches is how many vouches are kept of all peers together; so no more
	// peers than that are known by them alone.
	maxVouches = 512
	// maxVouchAddressBytes is how long the address in a vouch may be.
	maxVouchAddressBytes = 256
	// maxVouchedPerKey is how many further machines of its own a peer may name.
	maxVouchedPerKey = 16
	// maxSharedPerKey is how much a machine of ours may say of its peers.
	maxSharedPerKey = 256
	// maxUUIDsPerVouched is what maxUUIDsPerKey is for a peer that is only vouched for.
	maxUUIDsPerVouched = 64
	// maxRemoved is how many removed keys are remembered; then the oldest goes.
	maxRemoved = 2000
)

// A Vouch is what one peer says of another: that it is a further machine of its
// own, at the same bare JID; or, shared, that it knows it as a peer.
type Vouch struct {
	By       Key    `json:"by"`
	Address  string `json:"address"`
	Resource string `json:"resource,omitempty"`
	Label    string `json:"label,omitempty"`

	Shared bool              `json:"shared,omitempty"`
	Pinned bool              `json:"pinned,omitempty"` // shared: it is expected at the address
	Access map[string]Access `json:"access,omitempty"` // shared: at most that, by the UUID of a repository here
}

func (v Vouch) equal(other Vouch) bool {
	return v.By == other.By && v.Address == other.Address && v.Resource == other.Resource && v.Label == other.Label &&
		v.Shared == other.Shared && v.Pinned == other.Pinned && maps.Equal(v.Access, other.Access)
}

func checkVouches(vouches []Vouch) error {
	for _, v := range vouches {
		if err := cmp.Or(checkAddress(v.Address), checkLabel(v.Label)); err != nil {
			return err
		}
		if v.Resource != "" {
			if _, err := ResourceID(v.Resource); err != nil {
				return err
			}
		}
		for id := range v.Access {
			if c, err := canonicalUUID(id); err != nil || c != id {
				return ErrBadUUID
			}
		}
	}
	return nil
}

// known tells whether a peer is known otherwise than by the word of others.
func (p *Peer) known() bool { return len(p.Grants) > 0 || len(p.PinnedAddresses) > 0 }

// mayVouch tells whether the word of a peer counts: it may do something here by
// a grant of its own, or was pinned here.
func (p *Peer) mayVouch() bool {
	return len(p.PinnedAddresses) > 0 || p.mostGranted() >= Read
}

func (p *Peer) mostGranted() Access {
	most := None
	for _, a := range p.Grants {
		most = max(most, a)
	}
	return most
}

// isSibling tells whether a peer is another machine of the account's, and may
// be spoken for: one that was shut out of everything may not.
func (p *Peer) isSibling(account string) bool {
	return slices.Contains(p.PinnedAddresses, account) && !p.isShutOut()
}

// isShutOut tells whether all that a peer was granted was taken away.
func (p *Peer) isShutOut() bool { return len(p.Grants) > 0 && p.mostGranted() == None }

// view returns a peer with what follows from what others say of it.
func (l *peerList) view(p *Peer) Peer {
	c := p.clone()
	c.Access, c.Refs = maps.Clone(p.Grants), cloneLimits(p.Limits)
	for _, v := range p.Vouches {
		voucher := l.find(v.By)
		if voucher == nil {
			continue
		}
		c.VouchedBy = appendNew(c.VouchedBy, v.By)
		c.Addresses = appendNew(c.Addresses, v.Address)
		if pins(voucher, v) {
			c.PinnedAddresses = appendNew(c.PinnedAddresses, v.Address)
		}
		c.Resource, c.Label = cmp.Or(c.Resource, v.Resource), cmp.Or(c.Label, v.Label)
		for id := range voucher.Grants {
			c.allow(id, l.right(p, id))
		}
	}
	c.Pinned = len(c.PinnedAddresses) > 0
	return c
}

func appendNew[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// pins tells whether a vouch makes its peer one that is expected at the address: the voucher is, there, or says so as a machine of ours.
func pins(voucher *Peer, v Vouch) bool {
	if v.Shared {
		return v.Pinned && !voucher.isShutOut()
	}
	return slices.Contains(voucher.PinnedAddresses, v.Address)
}

// pinned tells whether a peer is expected at an address.
func (l *peerList) pinned(p *Peer, address string) bool {
	return slices.Contains(p.PinnedAddresses, address) || l.pinning(p, address) != nil
}

// pinning returns the vouch by which a peer is expected at an address, if there is one.
func (l *peerList) pinning(p *Peer, address string) *Vouch {
	for i, v := range p.Vouches {
		if v.Address != address {
			continue
		}
		if voucher := l.find(v.By); voucher != nil && pins(voucher, v) {
			return &p.Vouches[i]
		}
	}
	return nil
}

// allow notes in a view what its peer may do with a repository.
func (p *Peer) allow(repoUUID string, right Right) {
	if right.Access == None {
		return
	}
	p.Access = withAccess(p.Access, repoUUID, right.Access)
	if right.Refs.All() {
		return
	}
	if p.Refs == nil {
		p.Refs = map[string]refname.Patterns{}
	}
	p.Refs[repoUUID] = slices.Clone(right.Refs)
}

// right is what a peer may do with a repository.
func (l *peerList) right(p *Peer, repoUUID string) Right {
	right, _ := l.decided(p, repoUUID)
	return right
}

// decided is what a peer was granted, or else what those who vouch for it let
// it have, together, and whether there is any such grant.
func (l *peerList) decided(p *Peer, repoUUID string) (all Right, decided bool) {
	if _, ok := p.Grants[repoUUID]; ok {
		return p.granted(repoUUID), true
	}
	for _, v := range p.Vouches {
		voucher := l.find(v.By)
		if voucher == nil {
			continue
		}
		_, ok := voucher.Grants[repoUUID] // of its own: what others say of a voucher goes no further
		right := voucher.granted(repoUUID)
		if v.Shared {
			said, shared := v.Access[repoUUID]
			right, ok = right.atMost(said), ok && shared
		}
		all, decided = all.or(right), decided || ok
	}
	return all, decided
}

// remove forgets a key, what it said, and those who were known by that alone.
func (l *peerList) remove(key Key) {
	l.Peers = slices.DeleteFunc(l.Peers, func(p Peer) bool { return p.Key == key })
	for i := range l.Peers {
		l.Peers[i].unvouch(func(v Vouch) bool { return v.By == key })
	}
	l.forgetUnknown()
	l.Removed = append(l.Removed, key)
	if n := len(l.Removed) - maxRemoved; n > 0 {
		l.Removed = slices.Delete(l.Removed, 0, n)
	}
}

func (p *Peer) unvouch(which func(Vouch) bool) {
	p.Vouches = slices.DeleteFunc(p.Vouches, which)
}

// forgetUnknown drops peers that nobody speaks for any more.
func (l *peerList) forgetUnknown() {
	l.Peers = slices.DeleteFunc(l.Peers, func(p Peer) bool { return !p.known() && len(p.Vouches) == 0 })
}
