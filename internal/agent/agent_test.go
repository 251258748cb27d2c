package agent_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"git-remote-xmpp/internal/agent"
	"git-remote-xmpp/protocol"
	"mellium.im/xmpp/jid"
)

// Both directions carry everything, end by themselves, one after the other, and leave nothing.
func TestBothDirections(t *testing.T) {
	f := start(t, &agent.Server{})
	c, p := f.dial(t)
	if c.Peer() != peersJID {
		t.Errorf("the peer is %s", c.Peer())
	}
	up, down := bytes.Repeat([]byte("up"), 500_000), bytes.Repeat([]byte("down"), 300_000)
	go func() {
		_, err := c.Write(up)
		if err := errors.Join(err, c.CloseWrite()); err != nil {
			t.Error(err)
		}
	}()
	if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, up) {
		t.Errorf("%d bytes arrived of %d: %v", len(got), len(up), err)
	}
	go func() {
		_, err := p.Write(down)
		if err := errors.Join(err, p.Writer.(io.Closer).Close()); err != nil {
			t.Error(err)
		}
	}()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, down) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(down), err)
	}
	c.Close()
	await(t, p.stream.closed, "the stream to be closed")
}

// A code with which the client gives up reaches the peer.
func TestCancel(t *testing.T) {
	f := start(t, &agent.Server{})
	c, p := f.dial(t)
	c.Cancel(protocol.CodeTimeout)
	if code := p.awaitCancel(t); code != protocol.CodeTimeout {
		t.Errorf("the peer was told %v", code)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("read after it was given up")
	}
	if _, err := c.Write([]byte{1}); err == nil {
		t.Error("written after it was given up")
	}
}

// A client that dies takes its stream with it at once, whether the peer reads or not.
func TestClientDies(t *testing.T) {
	for _, what := range []string{"silent", "sending to a peer that doesn't read", "not reading what comes"} {
		t.Run(what, func(t *testing.T) {
			f := start(t, &agent.Server{})
			c, p := f.dial(t)
			switch what {
			case "sending to a peer that doesn't read":
				written := make(chan error, 1)
				go func() {
					_, err := c.Write(make([]byte, 10<<20))
					written <- err
				}()
				defer func() {
					if err := <-written; err == nil {
						t.Error("all was written though nobody reads")
					}
				}()
				if _, err := io.ReadFull(p, make([]byte, 100)); err != nil {
					t.Fatal(err)
				}
			case "not reading what comes":
				go func() { _, _ = p.Write(make([]byte, 10<<20)) }() // ends with the stream
				if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			c.Close() // all that the other side sees of the end of a process
			if code := p.awaitCancel(t); code != protocol.CodeCancelled {
				t.Errorf("the peer was told %v", code)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
			await(t, p.stream.closed, "the stream to be closed")
		})
	}
}

// What fails at the peer stops the client's writes, and it can go on reading.
func TestPeerTakesNoMore(t *testing.T) {
	f := start(t, &agent.Server{})
	c, p := f.dial(t)
	refusal := &protocol.Refuse{Code: protocol.CodeCancelled, Text: "enough"}
	_ = p.Reader.(*io.PipeReader).CloseWithError(refusal)
	var err error
	for end := time.Now().Add(deadline); err == nil && time.Now().Before(end); {
		_, err = c.Write(make([]byte, 100_000))
	}
	if !errors.Is(err, protocol.CodeCancelled) || err.Error() != "enough" {
		t.Errorf("write: %v", err)
	}
	go func() { _, _ = io.WriteString(p, "still here") }()
	got := make([]byte, 10)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "still here" {
		t.Errorf("read %q, %v", got, err)
	}
}

// A client that doesn't read is given up after the timeout, and holds up nobody.
func TestSlowReader(t *testing.T) {
	f := start(t, &agent.Server{})
	slow, p := f.dialFor(t, 100*time.Millisecond)
	go func() { _, _ = p.Write(make([]byte, 10<<20)) }() // ends with the stream
	other, q := f.dial(t)
	go func() { _, _ = io.WriteString(q, "quick") }()
	if _, err := io.ReadFull(other, make([]byte, 5)); err != nil {
		t.Error(err)
	}
	p.awaitCancel(t)
	await(t, p.stream.closed, "the stream to be closed")
	if _, err := io.Copy(io.Discard, slow); err == nil {
		t.Error("all of it came")
	}
}

// So is one that doesn't hang up though its stream has ended.
func TestClientThatStays(t *testing.T) {
	f := start(t, &agent.Server{})
	c, p := f.dialFor(t, 100*time.Millisecond)
	_ = p.Writer.(io.Closer).Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	await(t, p.stream.closed, "the stream to be closed")
}

// An agent works for so many clients at once; the next one does without it.
func TestManyClients(t *testing.T) {
	f := start(t, &agent.Server{})
	var last *agent.Client
	for range 64 {
		last, _ = f.dial(t)
	}
	if _, err := agent.Dial(t.Context(), f.dir, request); !errors.Is(err, agent.ErrDeclined) {
		t.Errorf("dial: %v", err)
	}
	last.Close()
	for end := time.Now().Add(deadline); ; { // when the agent has seen it
		c, err := agent.Dial(t.Context(), f.dir, request)
		if err == nil {
			t.Cleanup(c.Close)
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// A client whose context ends while the peer is being looked for returns, and the search is called off.
func TestDialCalledOff(t *testing.T) {
	opening, calledOff := make(chan struct{}), make(chan struct{})
	f := start(t, &agent.Server{Open: func(ctx context.Context, _ jid.JID, _ ed25519.PublicKey) (agent.Stream, string, error) {
		close(opening)
		<-ctx.Done()
		close(calledOff)
		return nil, "", ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-opening
		cancel()
	}()
	if _, err := agent.Dial(ctx, f.dir, request); !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v", err)
	}
	await(t, calledOff, "the search to be called off")
}

// An agent that stops lets a stream finish that ends soon, cancels others, says so, and takes no new ones.
func TestStop(t *testing.T) {
	f := start(t, &agent.Server{})
	short, p := f.dial(t)
	long, q := f.dial(t)
	began := time.Now()
	f.stop()
	for { // until it is seen to stop
		c, err := agent.Dial(t.Context(), f.dir, request)
		if errors.Is(err, agent.ErrDeclined) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		<-f.peers
	}
	go func() {
		_, _ = io.WriteString(p, "bye")
		_ = p.Writer.(io.Closer).Close()
	}()
	if got, err := io.ReadAll(short); err != nil || string(got) != "bye" {
		t.Errorf("the short one got %q, %v", got, err)
	}
	short.Close()
	if _, err := io.ReadAll(long); err == nil || err.Error() != "connection lost: git-remote-xmpp serve, whose connection was used, was stopped: try again" {
		t.Errorf("the long one: %v", err)
	}
	if code := q.awaitCancel(t); code != protocol.CodeCancelled {
		t.Errorf("the peer was told %v", code)
	}
	long.Close()
	f.ended <- await(t, f.ended, "the agent to end")
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
}

// The agent's death is seen at once, in whatever state the client is.
func TestAgentDies(t *testing.T) {
	for _, doing := range []string{"reading", "writing"} {
		t.Run(doing, func(t *testing.T) {
			dir, conns := fakeAgent(t, func(conn net.Conn) {
				answer(t, conn, 3, "")
				answer(t, conn, 4, peersJID)
			})
			c, err := agent.Dial(t.Context(), dir, request)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			failed := make(chan error, 1)
			go func() {
				var err error
				if doing == "reading" {
					_, err = c.Read(make([]byte, 1))
				} else {
					_, err = c.Write(make([]byte, 1<<20)) // more than there is room for
				}
				failed <- err
			}()
			_ = await(t, conns, "a connection").Close()
			err = await(t, failed, "the end")
			if err == nil || err.Error() != "connection lost: git-remote-xmpp serve, whose connection was used, has ended: try again" {
				t.Errorf("%s: %v", doing, err)
			}
		})
	}
}
