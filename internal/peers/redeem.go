package peers

import (
	"context"
	"crypto/sha256"
	"time"

	"git-remote-xmpp/internal/statefile"
)

// Redeem lets key, at the bare JID address, in by the secret of an invite, and
// returns that invite. The first key to come has it, whoever else comes at the
// same time; it never has less access afterwards than before. The same key may
// come again, as an interrupted clone does: nothing changes then, as long as it
// is still among the peers. label is what the peer calls itself; the label of
// the invite goes before it.
//
// Errors: [ErrInviteUsed], [ErrInviteExpired], [ErrInviteUnknown].
func (s *Store) Redeem(ctx context.Context, secret Secret, key Key, address, label string, now time.Time) (Invite, error) {
	if err := checkAddress(address); err != nil {
		return Invite{}, err
	}
	if err := checkLabel(label); err != nil {
		return Invite{}, err
	}
	if key == (Key{}) {
		return Invite{}, errBadKey
	}
	now = now.UTC()
	hash := Key(sha256.Sum256(secret[:]))
	var got storedInvite
	err := statefile.Lock(ctx, s.dir, func() error {
		// Three writes, and a crash after any of them is harmless: the invite
		// belongs to the key before the key may do anything, and can be
		// redeemed again by it until it is granted.
		err := s.invites.Update(func(l *inviteList) (err error) {
			got, err = l.take(hash, key, now)
			return err
		})
		if err != nil {
			return err
		}
		if got.Granted {
			return s.requirePeer(key)
		}
		if err := s.peers.Update(func(l *peerList) error { return l.admit(got.Invite, key, address, label, now) }); err != nil {
			return err
		}
		return s.invites.Update(func(l *inviteList) error {
			return l.settle(func(v storedInvite) bool { return v.Hash == hash })
		})
	})
	if err != nil {
		return Invite{}, err
	}
	return got.Invite, nil
}

// take gives the invite to key, if it is to be had.
func (l *inviteList) take(hash, key Key, now time.Time) (storedInvite, error) {
	l.prune(now)
	v := l.find(hash)
	if v == nil {
		return storedInvite{}, ErrInviteUnknown
	}
	switch v.State(now) {
	case InviteExpired:
		return storedInvite{}, ErrInviteExpired
	case InviteUsed:
		if v.UsedBy != key {
			return storedInvite{}, ErrInviteUsed
		}
		return *v, statefile.ErrUnchanged
	}
	v.UsedBy, v.UsedAt = key, now
	return *v, nil
}

// admit gives key what the invite grants.
func (l *peerList) admit(v Invite, key Key, address, label string, now time.Time) error {
	p, err := l.add(key, now)
	if err != nil {
		return err
	}
	if v.Label != "" {
		label = v.Label
	}
	if p.Label == "" {
		p.Label = label
	}
	p.see(address, now)
	p.grant(v.RepoUUID, p.granted(v.RepoUUID).or(v.right()))
	return nil
}

// requirePeer says [ErrInviteUsed] about a key that is not among the peers any
// more.
func (s *Store) requirePeer(key Key) error {
	list, err := s.peers.Read()
	if err != nil {
		return err
	}
	if list.find(key) == nil {
		return ErrInviteUsed
	}
	return nil
}
