package peers

import (
	"context"
	"errors"
	"maps"
	"slices"

	"git-remote-xmpp/internal/refname"
)

// ErrBadRight says that a right can't be granted.
var ErrBadRight = errors.New("only write is limited to some refs")

// A Right is what a peer may do with a repository: with write, perhaps to some
// refs only.
type Right struct {
	Access Access
	Refs   refname.Patterns // empty: all
}

func (r Right) check() error {
	if !r.Access.valid() {
		return ErrBadAccess
	}
	if r.Access != Write && !r.Refs.All() {
		return ErrBadRight
	}
	if !printable(r.Refs.String()) { // people are shown it
		return refname.ErrPattern
	}
	return r.Refs.Check()
}

// or is what two rights allow, taken together.
func (r Right) or(other Right) Right {
	switch {
	case r.Access > other.Access:
		return r
	case r.Access < other.Access:
		return other
	}
	return Right{r.Access, refname.Union(r.Refs, other.Refs)}
}

// atMost is what is left of a right where no more than this can be had.
func (r Right) atMost(most Access) Right {
	if r.Access > most {
		return Right{Access: most}
	}
	return r
}

// Right returns what a key may do with the repository of a UUID here, as
// [Store.Access] does, and to which refs.
func (s *Store) Right(key Key, repoUUID string) Right {
	repoUUID, err := canonicalUUID(repoUUID)
	if err != nil {
		return Right{}
	}
	list, err := s.peers.Read()
	if err != nil {
		return Right{}
	}
	if p := list.find(key); p != nil {
		right := list.right(p, repoUUID)
		return Right{right.Access, slices.Clone(right.Refs)}
	}
	return Right{}
}

// SetRight says what a known key may do with repositories here, and to which
// refs.
func (s *Store) SetRight(ctx context.Context, key Key, repoUUIDs []string, right Right) error {
	return s.setRights(ctx, key, repoUUIDs, func(Right) Right { return right })
}

// SetAccess says what a known key may do with repositories here. Write that was
// limited to some refs stays so.
func (s *Store) SetAccess(ctx context.Context, key Key, repoUUIDs []string, access Access) error {
	return s.setRights(ctx, key, repoUUIDs, func(now Right) Right {
		if access == Write {
			return Right{access, now.Refs}
		}
		return Right{Access: access}
	})
}

func (s *Store) setRights(ctx context.Context, key Key, repoUUIDs []string, wanted func(now Right) Right) error {
	ids := make([]string, len(repoUUIDs))
	for i, id := range repoUUIDs {
		var err error
		if ids[i], err = canonicalUUID(id); err != nil {
			return err
		}
	}
	return s.changePeers(ctx, func(l *peerList) error {
		p := l.find(key)
		if p == nil {
			return ErrUnknownPeer
		}
		for _, id := range ids {
			right := wanted(l.right(p, id))
			if err := right.check(); err != nil {
				return err
			}
			p.grant(id, right)
		}
		return nil
	})
}

// granted is what a peer was granted itself.
func (p *Peer) granted(repoUUID string) Right {
	return Right{p.Grants[repoUUID], p.Limits[repoUUID]}
}

func (p *Peer) grant(repoUUID string, right Right) {
	if p.Grants == nil {
		p.Grants = map[string]Access{}
	}
	p.Grants[repoUUID] = right.Access
	delete(p.Limits, repoUUID)
	if right.Refs.All() {
		return
	}
	if p.Limits == nil {
		p.Limits = map[string]refname.Patterns{}
	}
	p.Limits[repoUUID] = slices.Clone(right.Refs)
}

// checkLimits refuses limits of what isn't granted, and those that would be none.
func (p *Peer) checkLimits() error {
	for id, refs := range p.Limits {
		if err := p.granted(id).check(); err != nil {
			return err
		}
		if refs.All() {
			return ErrBadRight
		}
	}
	return nil
}

func cloneLimits(limits map[string]refname.Patterns) map[string]refname.Patterns {
	c := maps.Clone(limits)
	for id, refs := range c {
		c[id] = slices.Clone(refs)
	}
	return c
}
