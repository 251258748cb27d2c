package integration

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	// bareWindowBytes is how much payload is on its way before the sender waits for the receiver, where the server is near.
	bareWindowBytes = 256 << 10
	// bareAcks is how often the receiver sends a message back for a window.
	bareAcks = 8
	// bareMaxPayloadBytes is the largest payload that is tried.
	bareMaxPayloadBytes = 5800
	// bareMaxBytes is the largest stanza, with what fills it up.
	bareMaxBytes = 8192

	bareData, bareAck = "p", "a" // elements
)

// A bareShape is how payloads are made into stanzas and those into writes.
type bareShape struct {
	payload int // bytes of payload in a message
	// padTo is the size in bytes that each write is filled up to with spaces between stanzas; 0: not at all.
	// Prosody reads 8,192 bytes at a time from TLS and sleeps a millisecond if it leaves a part of a
	// record behind; records of exactly 4,096 or 8,192 bytes tile its reads.
	padTo  int
	window int
}

// bareShapes are those that together find what a server carries in stanzas of up to 8,192 bytes.
var bareShapes = []bareShape{
	{2960, 0, bareWindowBytes}, {2960, 4096, bareWindowBytes}, {4096, 0, bareWindowBytes}, {4096, 8192, bareWindowBytes},
	{bareMaxPayloadBytes, 0, bareWindowBytes}, {bareMaxPayloadBytes, 8192, bareWindowBytes},
}

func (b bareShape) String() string {
	text := fmt.Sprintf("bare messages, %d bytes each", b.payload)
	if b.padTo > 0 {
		text += ", padded"
	}
	if b.window != bareWindowBytes {
		text += fmt.Sprintf(", window %d KiB", b.window>>10)
	}
	return text
}

// bareTransfer sends data from one account to another as messages with a window, and returns the time
// from the first write until the receiver has all.
func bareTransfer(tb testing.TB, s *testserver.Server, shape bareShape, data []byte) time.Duration {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), deadline)
	defer cancel()
	alice := bareJoin(ctx, tb, s, "alice")
	bob := bareJoin(ctx, tb, s, "bob")
	took, err := bareExchange(alice, bob, shape, len(data), 0)
	if err := errors.Join(err, alice.close(), bob.close()); err != nil {
		tb.Fatalf("%s: %v: %v", s.Name, shape, err)
	}
	return took[0]
}

func bareJoin(ctx context.Context, tb testing.TB, s *testserver.Server, user string) *bareClient {
	tb.Helper()
	c, err := bareLogin(ctx, s, user, "bench")
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// bareExchange has two clients send each other so many bytes at the same time. It returns how long it took until the other one had all of each's.
func bareExchange(a, b *bareClient, shape bareShape, fromA, fromB int) (took [2]time.Duration, err error) {
	ends := [2]*bareEnd{newBareEnd(a, b.jid, shape, fromA, fromB), newBareEnd(b, a.jid, shape, fromB, fromA)}
	var errs [4]error
	var tasks sync.WaitGroup
	for i, end := range ends {
		begin := time.Now()
		tasks.Go(func() { errs[2*i] = end.sendAll() })
		tasks.Go(func() {
			errs[2*i+1] = end.readAll(func() { took[1-i] = time.Since(begin) })
		})
	}
	tasks.Wait()
	return took, errors.Join(errs[:]...)
}

// A bareEnd is one of the two in an exchange.
type bareEnd struct {
	*bareClient
	to            string
	shape         bareShape
	send, receive int      // bytes
	acked         chan int // how much of ours the other side has
}

func newBareEnd(c *bareClient, to string, shape bareShape, send, receive int) *bareEnd {
	return &bareEnd{c, to, shape, send, receive, make(chan int, send/(shape.window/bareAcks)+2)} // room for all that the receiver sends
}

// sendAll writes one stanza at a time, as long as the window allows.
func (e *bareEnd) sendAll() error {
	data := benchRandom(e.shape.payload)
	write := make([]byte, 0, bareMaxBytes)
	for sent, received := 0, 0; sent < e.send; {
		n := min(e.shape.payload, e.send-sent)
		for sent+n > received+e.shape.window {
			var ok bool
			if received, ok = <-e.acked; !ok {
				return errors.New("the acknowledgements ended")
			}
		}
		write = bareMessage(write[:0], e.to, bareData, data[:n])
		if len(write) > bareMaxBytes {
			return fmt.Errorf("a stanza of %d bytes", len(write))
		}
		for len(write) < e.shape.padTo {
			write = append(write, ' ')
		}
		if _, err := e.conn.Write(write); err != nil {
			return err
		}
		sent += n
	}
	return nil
}

// bareMessage appends a message stanza with a payload in base64 to b.
func bareMessage(b []byte, to, element string, payload []byte) []byte {
	b = append(b, "<message to='"+to+"' type='headline'><"+element+" xmlns='urn:x-bench'>"...)
	b = base64.StdEncoding.AppendEncode(b, payload)
	return append(b, "</"+element+"></message>"...)
}

// readAll reads what the other side sends, and acknowledges it every so many bytes and at the end, until both sides have all. It calls has when this
// one has.
func (e *bareEnd) readAll(has func()) error {
	defer close(e.acked)
	buf := make([]byte, bareMaxPayloadBytes+2)
	for acked, received, told := 0, 0, 0; acked < e.send || received < e.receive; {
		element, payload, err := e.message(buf)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if element == bareAck {
			if len(payload) != 8 {
				return fmt.Errorf("an acknowledgement of %d bytes", len(payload))
			}
			acked = int(binary.BigEndian.Uint64(payload))
			e.acked <- acked
			continue
		}
		if received += len(payload); received == e.receive {
			has()
		}
		if received-told < e.shape.window/bareAcks && received < e.receive {
			continue
		}
		told = received
		if _, err := e.conn.Write(bareMessage(nil, e.to, bareAck, binary.BigEndian.AppendUint64(nil, uint64(received)))); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
	}
	return nil
}
