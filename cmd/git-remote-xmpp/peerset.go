package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/refname"
)

// refsUsage is what --refs is for.
const refsUsage = "patterns of the refs that may be written to, with commas between them"

// peerChange is what `peers set` is to change.
type peerChange struct {
	access      string
	refs, label *string
}

// any tells whether there is anything.
func (c peerChange) any() bool { return c != peerChange{} }

// right is what access and refs say.
func (c peerChange) right() (right peers.Right, err error) {
	if c.access != "" {
		if right.Access, err = peers.ParseAccess(c.access); err != nil {
			return right, usagef("peers: --access %q: %v", c.access, err)
		}
	}
	if c.refs == nil {
		return right, nil
	}
	if right.Access != peers.Write {
		return right, usagef("peers: --refs goes with --access write")
	}
	if right.Refs, err = parseRefs(*c.refs); err != nil {
		return right, usagef("peers: %v", err)
	}
	return right, nil
}

// parseRefs reads the value of --refs.
func parseRefs(text string) (refname.Patterns, error) {
	refs, err := refname.ParsePatterns(text)
	if err == nil {
		err = refs.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("--refs %w", err)
	}
	return refs, nil
}

// setPeer changes what a key may do, with one repository, or with all that it was granted or may use by the word of others; or what it is called.
func (s *setup) setPeer(ctx context.Context, std stdio, args []string, c peerChange) error {
	if len(args) < 1 || len(args) > 2 || c.access == "" && (c.label == nil || len(args) == 2) {
		return usagef("peers: set KEY --access read|write|none [--refs PATTERNS] [REPO], or set KEY --label TEXT")
	}
	right, err := c.right()
	if err != nil {
		return err
	}
	peer, err := s.store.Find(args[0])
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if c.label != nil {
		if err := s.store.SetLabel(ctx, peer.Key, *c.label); err != nil || c.access == "" {
			return err
		}
	}
	ids := slices.Collect(maps.Keys(peer.Access))
	if len(args) == 2 {
		id, err := repositoryID(ctx, args[1])
		if err != nil {
			return err
		}
		ids = []string{id}
	}
	if len(ids) == 0 {
		return fmt.Errorf("%s has no access to any repository yet: name the repository", peer.Key)
	}
	if c.refs != nil {
		return s.store.SetRight(ctx, peer.Key, ids, right)
	}
	if err := s.store.SetAccess(ctx, peer.Key, ids, right.Access); err != nil {
		return err
	}
	for _, id := range ids {
		if refs := s.store.Right(peer.Key, id).Refs; !refs.All() {
			fmt.Fprintf(std.err, "git-remote-xmpp: %s may still write to %s only: --refs '' takes the limit away\n", peer.Key, refs)
		}
	}
	return nil
}

func (s *setup) removePeer(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return usagef("peers: remove KEY")
	}
	peer, err := s.store.Find(args[0])
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return s.store.Remove(ctx, peer.Key)
}

func repositoryID(ctx context.Context, path string) (string, error) {
	r, err := openArgument(ctx, []string{path})
	if err != nil {
		return "", err
	}
	return r.UUID(ctx)
}
