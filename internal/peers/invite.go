package peers

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"git-remote-xmpp/internal/refname"
	"git-remote-xmpp/internal/statefile"
)

const (
	// maxInvites is how many invites are kept; the oldest expired ones make room, then the oldest used ones.
	maxInvites = 1000
	// keepClosed is how long an invite that nobody came with is known after it expired, and how long a guest is let in as far as to be told what has become of one.
	keepClosed = 30 * 24 * time.Hour
	// maxExpires is the longest that an invite can be open: a year.
	maxExpires = 366 * 24 * time.Hour
)

var (
	// ErrInviteUsed says that somebody else came with the invite before.
	ErrInviteUsed = errors.New("the invite was used already: ask for a new one")
	// ErrInviteExpired says that the invite was used too late.
	ErrInviteExpired = errors.New("the invite has expired: ask for a new one")
	// ErrInviteUnknown says that this installation never gave out the invite,
	// or forgot it.
	ErrInviteUnknown = errors.New("the invite is not known here: ask for a new one")
	// ErrBadInviteRequest says that an invite can't be made as asked.
	ErrBadInviteRequest = errors.New("an invite grants read or write, for at most 366 days")
)

// InviteState says what has become of an invite.
type InviteState string

// The states of an invite.
const (
	InviteOpen    InviteState = "open"
	InviteUsed    InviteState = "used"
	InviteExpired InviteState = "expired"
)

// InviteRequest says what an invite is to grant to whoever comes with it first.
type InviteRequest struct {
	RepoUUID string
	RepoName string
	Access   Access
	Refs     refname.Patterns // with Write: to these only
	Label    string           // for the peer that comes; may be empty
	Expires  time.Duration    // from now
}

// Invite is an invite that was handed out. The secret isn't kept.
type Invite struct {
	RepoUUID string           `json:"repoUUID"`
	RepoName string           `json:"repoName,omitempty"`
	Access   Access           `json:"access"`
	Refs     refname.Patterns `json:"refs,omitempty"` // with Write: to these only
	Label    string           `json:"label,omitempty"`
	Created  time.Time        `json:"created"`
	Expires  time.Time        `json:"expires"`
	UsedBy   Key              `json:"usedBy,omitzero"` // zero until it is used
	UsedAt   time.Time        `json:"usedAt,omitzero"`
}

// right is what the invite grants.
func (i Invite) right() Right { return Right{i.Access, i.Refs} }

// State says what has become of the invite by now.
func (i Invite) State(now time.Time) InviteState {
	switch {
	case i.UsedBy != Key{}:
		return InviteUsed
	case !now.Before(i.Expires):
		return InviteExpired
	}
	return InviteOpen
}

// closed returns when the invite was used or expired, or will.
func (i Invite) closed() time.Time {
	if i.UsedBy != (Key{}) {
		return i.UsedAt
	}
	return i.Expires
}

// NewInvite makes an invite and returns its secret, which is not kept here.
func (s *Store) NewInvite(ctx context.Context, r InviteRequest) (Secret, error) {
	repo, err := canonicalUUID(r.RepoUUID)
	if err != nil {
		return Secret{}, err
	}
	if err := cmp.Or(checkLabel(r.Label), checkName(r.RepoName)); err != nil {
		return Secret{}, err
	}
	if err := (Right{r.Access, r.Refs}).check(); err != nil {
		return Secret{}, err
	}
	if r.Access == None || r.Expires <= 0 || r.Expires > maxExpires {
		return Secret{}, ErrBadInviteRequest
	}
	var secret Secret
	rand.Read(secret[:]) // never fails
	now := s.now()
	made := storedInvite{Hash: sha256.Sum256(secret[:]), Invite: Invite{
		RepoUUID: repo, RepoName: r.RepoName, Access: r.Access, Refs: slices.Clone(r.Refs), Label: r.Label,
		Created: now, Expires: now.Add(r.Expires),
	}}
	err = statefile.Lock(ctx, s.dir, func() error {
		return s.invites.Update(func(l *inviteList) error { return l.add(made, now) })
	})
	if err != nil {
		return Secret{}, err
	}
	return secret, nil
}

// Invites returns the invites that are known, the oldest first.
func (s *Store) Invites() ([]Invite, error) {
	list, err := s.invites.Read()
	if err != nil {
		return nil, err
	}
	found := make([]Invite, len(list.Invites))
	for i, v := range list.Invites {
		found[i] = v.Invite
	}
	return found, nil
}

// HasOpenInvites tells whether anybody is expected. It is false if the store
// can't be read (see [Store.Check]).
func (s *Store) HasOpenInvites() bool {
	list, err := s.invites.Read()
	return err == nil && slices.ContainsFunc(list.Invites, func(v storedInvite) bool {
		return v.State(s.now()) == InviteOpen
	})
}

// MatchKnock tells whether a tag that came from bareJID is that of an invite
// known here, be it open, used or expired: a guest who comes again or too late
// is let in as far as to be told so. It compares with every invite in constant
// time. It is false if the store can't be read (see [Store.Check]).
func (s *Store) MatchKnock(tag []byte, bareJID string) bool {
	list, err := s.invites.Read()
	if err != nil || len(tag) != knockTagBytes {
		return false
	}
	match, now := 0, s.now()
	for _, v := range list.Invites {
		if now.Sub(v.closed()) <= keepClosed {
			match |= subtle.ConstantTimeCompare(tag, knockTag(v.Hash, bareJID))
		}
	}
	return match == 1
}

// inviteList is the content of invites.json.
type inviteList struct {
	Invites []storedInvite `json:"invites"`
}

// storedInvite is an invite as it is on disk.
type storedInvite struct {
	Invite
	Hash Key `json:"hash"` // SHA-256 of the secret; a Key for how it is written
	// Granted says that UsedBy was given its access. Until then it may come
	// again and get it; afterwards its entry among the peers is what counts.
	Granted bool `json:"granted,omitempty"`
}

func (l *inviteList) find(hash Key) *storedInvite {
	for i := range l.Invites {
		if subtle.ConstantTimeCompare(l.Invites[i].Hash[:], hash[:]) == 1 {
			return &l.Invites[i]
		}
	}
	return nil
}

// add appends an invite. If the list is full, a closed one goes.
func (l *inviteList) add(v storedInvite, now time.Time) error {
	l.prune(now)
	if len(l.Invites) >= maxInvites {
		closed := slices.IndexFunc(l.Invites, func(v storedInvite) bool { return v.State(now) == InviteExpired })
		if closed < 0 {
			closed = slices.IndexFunc(l.Invites, func(v storedInvite) bool { return v.State(now) == InviteUsed })
		}
		if closed < 0 {
			return fmt.Errorf("%w open invites: %d", ErrTooMany, maxInvites)
		}
		l.Invites = slices.Delete(l.Invites, closed, closed+1)
	}
	l.Invites = append(l.Invites, v)
	return nil
}

// prune forgets what expired long ago. A used invite stays: who came with it may know nothing but the URL each time, as a machine that is made anew for every run
// of CI does.
func (l *inviteList) prune(now time.Time) {
	l.Invites = slices.DeleteFunc(l.Invites, func(v storedInvite) bool { return v.State(now) == InviteExpired && now.Sub(v.Expires) > keepClosed })
}

// settle says of used invites that they need no granting any more.
func (l *inviteList) settle(which func(storedInvite) bool) error {
	err := statefile.ErrUnchanged
	for i, v := range l.Invites {
		if which(v) && !v.Granted {
			l.Invites[i].Granted, err = true, nil
		}
	}
	return err
}

// check refuses a file that this program would not have written.
func (l *inviteList) Check() error {
	for _, v := range l.Invites {
		id, err := canonicalUUID(v.RepoUUID)
		if err != nil || id != v.RepoUUID {
			return ErrBadUUID
		}
		if err := cmp.Or(checkLabel(v.Label), checkName(v.RepoName), v.right().check()); err != nil {
			return err
		}
	}
	return nil
}
