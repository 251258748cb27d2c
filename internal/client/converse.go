package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"mellium.im/xmpp/jid"
)

// answerTimeout is how long the other side has for an answer on the control stream; slow servers count for it.
const answerTimeout = 60 * time.Second

// ErrOld says that the peer's program doesn't know what it would be asked.
var ErrOld = errors.New("its git-remote-xmpp is too old to keep repositories in sync: it needs an update")

// A Conversation is what is said, and answered, on the control stream of a connection. There is one at a time.
type Conversation struct {
	session *Session
	ctx     context.Context
	heard   bool // something was answered
	err     error
}

// Converse has a conversation with the peer with a key, which must be known at the address, on a connection that is there from before if it
// can. If that turns out to be dead before anything was answered, talk is called again.
func (p *Pool) Converse(ctx context.Context, address jid.JID, key peers.Key, talk func(*Conversation) error) error {
	for {
		c, reused, err := p.take(address, key)
		if err != nil {
			return err
		}
		heard, err := c.converse(ctx, talk)
		alive := c.alive()
		p.release(c)
		if err == nil || !reused || heard || alive || ctx.Err() != nil {
			return err
		}
	}
}

func (c *pooled) converse(ctx context.Context, talk func(*Conversation) error) (heard bool, err error) {
	if err := c.await(ctx); err != nil {
		return false, err
	}
	return c.session.converse(ctx, talk)
}

// converse waits for the peer's hello and for its turn.
func (s *Session) converse(ctx context.Context, talk func(*Conversation) error) (heard bool, err error) {
	if err := s.awaitHello(ctx); err != nil {
		return false, err
	}
	if s.theirs.Minor < 1 {
		return false, ErrOld
	}
	select {
	case s.talking <- struct{}{}:
		defer func() { <-s.talking }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if s.isSpoilt() {
		return false, errSpoilt
	}
	c := &Conversation{session: s, ctx: ctx}
	stop := context.AfterFunc(ctx, c.setDeadline)
	defer stop()
	err = talk(c)
	if c.err != nil || ctx.Err() != nil {
		s.spoil()
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return c.heard, err
}

var errSpoilt = errors.New("a conversation was broken off")

func (s *Session) spoil() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoilt = true
}

func (s *Session) isSpoilt() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spoilt
}

// Say says something that isn't answered, or not yet.
func (c *Conversation) Say(m protocol.Message) error {
	c.setDeadline()
	return c.end(protocol.Write(c.session.control, m))
}

// Next is the next answer.
func (c *Conversation) Next() (protocol.Message, error) {
	c.setDeadline()
	m, err := c.session.answers.Next()
	c.heard = c.heard || err == nil
	return m, c.end(err)
}

// setDeadline gives the next read and write their time; none, when ctx is done.
func (c *Conversation) setDeadline() {
	_ = c.session.control.SetDeadline(time.Now().Add(answerTimeout)) // fails only on a stream that has ended, as reads and writes do
	if c.ctx.Err() != nil {
		_ = c.session.control.SetDeadline(time.Now())
	}
}

// Ask says something and returns the answer.
func (c *Conversation) Ask(m protocol.Message) (protocol.Message, error) {
	if err := c.Say(m); err != nil {
		return nil, err
	}
	return c.Next()
}

// Unexpected is the error of an answer that has no place where it came. It ends the conversation.
func (c *Conversation) Unexpected(m protocol.Message) error {
	return c.end(fmt.Errorf("%w: unexpected frame of type %#02x", protocol.ErrMalformed, byte(m.Type())))
}

// end notes and explains a failure.
func (c *Conversation) end(err error) error {
	if err == nil {
		return nil
	}
	c.err = c.session.explain(err)
	return c.err
}
