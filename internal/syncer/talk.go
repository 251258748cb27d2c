package syncer

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/protocol"
)

const (
	// maxOffered is how many tips a peer may offer at once.
	maxOffered = 1 << 17
	// talkTimeout is how long a conversation may take: a hundred thousand tips need some hundred answers.
	talkTimeout = 10 * time.Minute
)

var errTalk = fmt.Errorf("not done after %v of conversation", talkTimeout)

// A talk is one conversation about a link, and what comes of it.
type talk struct {
	syncer *Syncer
	link   *link
	work   todo
	tips   []repo.Tip // ours that the peer isn't known to have been told of
	client string     // UUID of the repository there

	wanted map[string]bool // refs of ours
	theirs []repo.Tip
	coming []repo.Tip // of those, what they will push
}

// talk offers and asks as the work says, and returns which refs the peer wants.
func (s *Syncer) talk(ctx context.Context, l *link, work todo) (wanted map[string]bool, err error) {
	leave, err := s.talkTurn(ctx, l.key)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, talkTimeout, errTalk)
	defer cancel()
	if err := s.check(l); err != nil {
		return nil, err
	}
	all, err := l.repo.Repo.Tips(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	t := &talk{syncer: s, link: l, work: work, client: l.client}
	t.tips = l.unknown(all)
	told, address := l.told, l.to.Bare()
	s.mu.Unlock()
	if work.ask { // what it has been told may be long ago
		t.tips = all
	}
	err = s.pool.Converse(ctx, address, l.key, func(c *client.Conversation) error {
		t.wanted, t.theirs, t.coming = make(map[string]bool), nil, nil
		if l.own && (work.ask || !told || t.client == "") { // who is only asked doesn't say that we may not know
			if err := t.announce(c); err != nil {
				return err
			}
		}
		if work.ask {
			if err := t.ask(ctx, c); err != nil {
				return err
			}
		}
		return t.offer(c)
	})
	if err != nil {
		return nil, err
	}
	s.talked(t, all)
	s.track(ctx, l)
	return t.wanted, nil
}

// talkTurn waits until there may be one more conversation with a key: first for those with the same key, so that who doesn't answer keeps only its
// own waiting.
func (s *Syncer) talkTurn(ctx context.Context, key peers.Key) (leave func(), err error) {
	release, err := s.talksOf.Take(ctx, key)
	if err != nil {
		return nil, err
	}
	select {
	case s.talks <- struct{}{}:
		return func() { <-s.talks; release() }, nil
	case <-ctx.Done():
		release()
		return nil, context.Cause(ctx)
	}
}

// announce says which repository of ours is a clone of theirs, and learns which one theirs is.
func (t *talk) announce(c *client.Conversation) error {
	m, err := c.Ask(&protocol.Announce{From: t.link.repo.UUID, Repository: t.link.name})
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *protocol.Announced:
		if m.To != t.link.repo.UUID {
			return c.Unexpected(m)
		}
		t.client = m.From
		return nil
	case *protocol.Refuse:
		return m
	default:
		return c.Unexpected(m)
	}
}

// ask has the peer say what it has, and says what is wanted of that.
func (t *talk) ask(ctx context.Context, c *client.Conversation) error {
	if err := c.Say(&protocol.PushRequest{From: t.link.repo.UUID, To: t.client}); err != nil {
		return err
	}
	var offers []*protocol.CanPush
	for more := true; more; {
		m, err := c.Next()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *protocol.NothingNeeded:
			more = false
		case *protocol.CanPush:
			empty := len(m.Refs) == 0 // of such there could be any number
			if m.From != t.client || m.To != t.link.repo.UUID || len(m.Refs) != len(m.Tips) || empty || len(t.theirs)+len(m.Refs) > maxOffered {
				return c.Unexpected(m)
			}
			offers, more = append(offers, m), m.More
			t.theirs = append(t.theirs, TipsOf(m)...)
		default:
			return c.Unexpected(m)
		}
	}
	right := t.syncer.right(t.link.key, t.link.repo.UUID)
	wanted, err := t.link.repo.Repo.Wanted(ctx, t.client, right.Refs, t.theirs)
	if err != nil {
		return err
	}
	if right.Access < peers.Write {
		wanted = nil
	}
	t.coming = wanted
	for _, o := range offers {
		if err := c.Say(Answer(o, wanted)); err != nil {
			return err
		}
	}
	return nil
}

// offer says what we have, and learns what of it is wanted.
func (t *talk) offer(c *client.Conversation) error {
	for _, o := range Offers(t.link.repo.UUID, t.client, t.tips) {
		o.More = false // each is answered before the next
		m, err := c.Ask(o)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *protocol.NothingNeeded:
		case *protocol.PushRequest:
			for _, ref := range m.Refs {
				t.wanted[ref] = slices.Contains(o.Refs, ref)
			}
		default:
			return c.Unexpected(m)
		}
	}
	for ref, offered := range t.wanted {
		if !offered {
			delete(t.wanted, ref)
		}
	}
	return nil
}

// talked notes what came of a conversation.
func (s *Syncer) talked(t *talk, all []repo.Tip) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := t.link
	l.client, l.told = t.client, true
	for _, tip := range t.tips {
		if !t.wanted[tip.Ref] {
			l.has[tip.Ref] = tip.ID
		}
	}
	if !t.work.ask {
		return
	}
	l.noteTheirs(slices.DeleteFunc(t.theirs, t.isOdd(all)))
	if l.ours == nil {
		l.ours = branchesOf(all)
	}
	l.promised(len(t.coming) > 0)
	l.repo.expectLocked(l.client, t.coming)
	if len(t.coming) == 0 {
		s.settleLocked(l, false)
	}
}

// isOdd tells which of their tips aren't worth remembering: those that aren't here and aren't wanted.
func (t *talk) isOdd(ours []repo.Tip) func(repo.Tip) bool {
	known := make(map[string]bool)
	for _, tip := range slices.Concat(ours, t.coming) {
		known[tip.Ref] = true
	}
	return func(tip repo.Tip) bool { return !known[tip.Ref] }
}

// Offers are the frames that offer tips from one repository to another.
func Offers(from, to string, tips []repo.Tip) []*protocol.CanPush {
	var offers []*protocol.CanPush
	var last *protocol.CanPush
	bytes := 0
	for _, t := range tips {
		id, err := hex.DecodeString(t.ID)
		if err != nil || len(t.Ref) > protocol.MaxRefBytes {
			continue
		}
		size := len(id) + len(t.Ref) + 8
		if last == nil || len(last.Tips) == protocol.MaxTips || bytes+size > maxOfferBytes {
			if last != nil {
				last.More = true
			}
			last, bytes = &protocol.CanPush{From: from, To: to}, 0
			offers = append(offers, last)
		}
		last.Tips, last.Refs = append(last.Tips, id), append(last.Refs, t.Ref)
		bytes += size
	}
	return offers
}

// maxOfferBytes is how much of a frame's room names and ids take.
const maxOfferBytes = protocol.MaxControlBytes - 256

// TipsOf are the tips that a frame offers.
func TipsOf(m *protocol.CanPush) []repo.Tip {
	tips := make([]repo.Tip, 0, len(m.Refs))
	for i, ref := range m.Refs {
		tips = append(tips, repo.Tip{Ref: ref, ID: hex.EncodeToString(m.Tips[i])})
	}
	return tips
}

// Answer says which of a frame's tips are among those that are wanted.
func Answer(m *protocol.CanPush, wanted []repo.Tip) protocol.Message {
	var refs []string
	for _, t := range wanted {
		if slices.Contains(m.Refs, t.Ref) {
			refs = append(refs, t.Ref)
		}
	}
	if refs == nil {
		return &protocol.NothingNeeded{From: m.To, To: m.From}
	}
	return &protocol.PushRequest{From: m.To, To: m.From, Refs: refs}
}
