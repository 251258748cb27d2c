package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/statefile"
	"git-remote-xmpp/protocol"
	"mellium.im/xmpp/jid"
)

const (
	// maxClones is how many clones may announce themselves, maxClonesPerKey how many of one peer's are known: the newest. With what waits for
	// them the file stays under its limit.
	maxClones       = 1024
	maxClonesPerKey = 128
	// announcedAfresh is how old an announcement gets before it is written anew.
	announcedAfresh = 24 * time.Hour
)

// kept is what outlives this process.
type kept struct {
	Clones  []clone   `json:"clones"`
	Waiting []waiting `json:"waiting"`
}

// A clone is a repository of a peer's that announced itself to one here.
type clone struct {
	Repository string    `json:"repository"` // UUID
	Client     string    `json:"client"`     // its UUID
	Key        peers.Key `json:"key"`
	Address    string    `json:"address"` // bare JID
	Announced  time.Time `json:"announced"`
}

// waiting is what a peer is to be told as soon as it is there: the newest only.
type waiting struct {
	Repository string    `json:"repository"` // UUID
	Key        peers.Key `json:"key"`
	Address    string    `json:"address"`
	Name       string    `json:"name"`
	Offer      bool      `json:"offer,omitempty"`
	Ask        bool      `json:"ask,omitempty"`
	ByHand     bool      `json:"byHand,omitempty"`
}

// Check refuses a file that this program would not have written.
func (k *kept) Check() error {
	for _, c := range k.Clones {
		if !protocol.IsUUID(c.Repository) || !protocol.IsUUID(c.Client) {
			return errors.New("not a UUID")
		}
		if _, err := jid.Parse(c.Address); err != nil {
			return err
		}
	}
	return nil
}

// same tells whether something waits for a link.
func (w waiting) same(repository string, id linkID) bool {
	return w.Repository == repository && w.Key == id.key && w.Address == id.address && w.Name == id.name
}

// restored is what was to be done with a link when it was last seen.
func (s *Syncer) restored(l *link) (t todo, byHand bool) {
	k, err := s.kept.Read()
	if err != nil {
		return todo{}, false
	}
	for _, w := range k.Waiting {
		if w.same(l.repo.UUID, l.linkID) {
			return todo{offer: w.Offer, ask: w.Ask}, w.ByHand
		}
	}
	return todo{}, false
}

// keep writes down what waits for a link, if that has changed.
func (s *Syncer) keep(ctx context.Context, l *link) {
	s.mu.Lock()
	w := waiting{
		Repository: l.repo.UUID, Key: l.key, Address: l.address, Name: l.name,
		Offer: l.todo.offer && !l.gone, Ask: l.todo.ask && !l.gone, ByHand: l.byHand,
	}
	s.mu.Unlock()
	if k, err := s.kept.Read(); err != nil || slices.Contains(k.Waiting, w) == (w.Offer || w.Ask) &&
		slices.ContainsFunc(k.Waiting, func(o waiting) bool { return o.same(w.Repository, l.linkID) }) == (w.Offer || w.Ask) {
		return
	}
	err := s.change(ctx, func(k *kept) error {
		k.Waiting = slices.DeleteFunc(k.Waiting, func(o waiting) bool { return o.same(w.Repository, l.linkID) || s.isOver(o) })
		if w.Offer || w.Ask {
			k.Waiting = append(k.Waiting, w)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("not kept what waits for a peer", "err", err)
	}
}

// isOver tells whether there isn't any more what something waits for.
func (s *Syncer) isOver(w waiting) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[w.Repository]
	return r != nil && r.links[linkID{w.Key, w.Address, w.Name}] == nil
}

// keepClone writes down that a clone announced itself.
func (s *Syncer) keepClone(ctx context.Context, c clone) error {
	same := func(o clone) bool { return o.Repository == c.Repository && o.Client == c.Client && o.Key == c.Key }
	if k, err := s.kept.Read(); err != nil || slices.ContainsFunc(k.Clones, func(o clone) bool {
		return same(o) && o.Address == c.Address && c.Announced.Sub(o.Announced) < announcedAfresh
	}) {
		return err
	}
	return s.change(ctx, func(k *kept) error {
		k.Clones = slices.DeleteFunc(k.Clones, same)
		var ofKey []int // the oldest first
		for i, o := range k.Clones {
			if o.Key == c.Key {
				ofKey = append(ofKey, i)
			}
		}
		if len(ofKey) >= maxClonesPerKey {
			k.Clones = slices.Delete(k.Clones, ofKey[0], ofKey[0]+1)
		}
		if len(k.Clones) >= maxClones {
			return fmt.Errorf("too many clones have announced themselves: %d", len(k.Clones))
		}
		k.Clones = append(k.Clones, c)
		return nil
	})
}

func (s *Syncer) change(ctx context.Context, change func(*kept) error) error {
	return statefile.Lock(ctx, s.cfg.Dir, func() error { return s.kept.Update(change) })
}
