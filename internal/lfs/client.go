package lfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"git-remote-xmpp/internal/tunnel"
	"git-remote-xmpp/protocol"
)

// closeGrace is how long the other side has to end a stream that we have ended.
const closeGrace = 2 * time.Second

// A Client transfers objects from or to a peer, one after the other, on one stream while that lasts.
type Client struct {
	// Dial opens a stream to a peer; told why that one didn't accept, to the next, or it returns why there is none. It is called again when a
	// stream has ended.
	Dial func(ctx context.Context, failure error) (tunnel.Stream, error)
	// Accepted hears that the peer of the last stream serves what was asked for. It may be nil.
	Accepted func(ctx context.Context, accept *protocol.Accept)
	// Open is what to ask the peer for, read when Dial has returned.
	Open *protocol.Open
	// Timeout is how long a transfer may go without progress.
	Timeout time.Duration
	// Name is how people call the remote, for messages.
	Name string
	// Store is where objects come to.
	Store Store
	Log   *slog.Logger

	tunnel *tunnel.Tunnel // nil: none is open
	failed error          // why there will be none any more
}

// Connect opens a stream, if there is none. Once it has failed it is left at that: the next object would fare no better.
func (c *Client) Connect(ctx context.Context) error {
	if c.tunnel == nil && c.failed == nil {
		c.failed = c.connect(ctx)
	}
	return c.failed
}

func (c *Client) connect(ctx context.Context) error {
	dial := func(ctx context.Context, failure error) (tunnel.Stream, error) {
		if failure != nil {
			failure = fmt.Errorf("%s: %w", c.Name, failure)
		}
		return c.Dial(ctx, failure)
	}
	t, accept, err := tunnel.Find(ctx, dial, c.Timeout, c.Open, func(uint32) {})
	if err != nil {
		if errors.Is(err, protocol.CodeProtocol) {
			err = fmt.Errorf("%w: is git-remote-xmpp there too old for Git LFS?", err)
		}
		return err
	}
	t.Pause()
	c.tunnel = t
	if c.Accepted != nil {
		c.Accepted(ctx, accept)
	}
	return nil
}

// Close ends the stream, and gives the other side a moment to end it as well.
func (c *Client) Close() {
	if c.tunnel == nil {
		return
	}
	t := c.tunnel
	impatience := time.AfterFunc(closeGrace, func() { t.Cancel(protocol.CodeCancelled) })
	defer impatience.Stop()
	if t.CloseWrite() == nil {
		_, _ = t.Next() // it's done
	}
	c.hangUp()
}

// hangUp gives the stream up.
func (c *Client) hangUp() {
	c.tunnel.Stop()
	c.tunnel = nil
}

// request sends a request and returns the first answer. The other side may have given up a stream on which nothing was asked for long:
// then another is opened.
func (c *Client) request(ctx context.Context, request protocol.Message) (protocol.Message, error) {
	if c.tunnel != nil {
		answer, err := c.ask(request)
		if err == nil || ctx.Err() != nil {
			return answer, err
		}
		c.Log.Debug("stream ended between requests", "err", err)
	}
	if err := c.Connect(ctx); err != nil {
		return nil, err
	}
	return c.ask(request)
}

func (c *Client) ask(request protocol.Message) (protocol.Message, error) {
	if err := c.tunnel.Write(request); err != nil {
		return nil, c.lost(err)
	}
	return c.next()
}

// next returns what the peer says. At an error the stream is given up.
func (c *Client) next() (protocol.Message, error) {
	for {
		m, err := c.tunnel.Next()
		if _, done := m.(*protocol.Done); done {
			err = io.EOF
		}
		if err != nil {
			return nil, c.lost(err)
		}
		if _, working := m.(*protocol.LFSWorking); !working {
			return m, nil
		}
	}
}

// lost gives up the stream, on which something has failed.
func (c *Client) lost(err error) error {
	err = fmt.Errorf("%s: %w", c.Name, c.tunnel.Explain(err))
	c.hangUp()
	return err
}

// refused is the error of a message that isn't the one that was hoped for: a refusal, after which another request may come, or
// nonsense.
func (c *Client) refused(m protocol.Message) error {
	refusal, ok := m.(*protocol.Refuse)
	if !ok {
		return c.lost(tunnel.Unexpected(m))
	}
	c.tunnel.Pause()
	return fmt.Errorf("%s: %w", c.Name, refusal)
}
