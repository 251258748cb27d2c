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
	// bareWindowBytes is how much payload is on its way before the sender waits for the receiver.
	bareWindowBytes = 256 << 10
	// bareAckBytes is how much payload the receiver takes between two messages back.
	bareAckBytes = bareWindowBytes / 8
	// bareMaxPayloadBytes is the largest payload that is tried.
	bareMaxPayloadBytes = 5800
)

// A bareShape is how payloads are made into stanzas and those into writes.
type bareShape struct {
	payload int // bytes of payload in a message
	// padTo is the size in bytes that each write is filled up to with spaces between stanzas; 0: not at all.
	// Prosody reads 8,192 bytes at a time from TLS and sleeps a millisecond if it leaves a part of a
	// record behind; records of exactly 4,096 or 8,192 bytes tile its reads.
	padTo int
}

// bareShapes are those that together find what a server carries in stanzas of up to 8,192 bytes.
var bareShapes = []bareShape{{2960, 0}, {2960, 4096}, {4096, 0}, {4096, 8192}, {bareMaxPayloadBytes, 0}, {bareMaxPayloadBytes, 8192}}

func (b bareShape) String() string {
	if b.padTo == 0 {
		return fmt.Sprintf("bare messages, %d bytes each", b.payload)
	}
	return fmt.Sprintf("bare messages, %d bytes each, padded", b.payload)
}

// bareTransfer sends data from one account to another as messages with a window, and returns the time
// from the first write until the receiver has all.
func bareTransfer(tb testing.TB, s *testserver.Server, shape bareShape, data []byte) time.Duration {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), deadline)
	defer cancel()
	alice := bareJoin(ctx, tb, s, "alice")
	bob := bareJoin(ctx, tb, s, "bob")
	begin := time.Now()
	err := bareExchange(alice, bob, shape, data)
	took := time.Since(begin)
	if err := errors.Join(err, alice.close(), bob.close()); err != nil {
		tb.Fatalf("%s: %v: %v", s.Name, shape, err)
	}
	return took
}

func bareJoin(ctx context.Context, tb testing.TB, s *testserver.Server, user string) *bareClient {
	tb.Helper()
	c, err := bareLogin(ctx, s, user, "bench")
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// bareExchange runs the two directions of both sides until all is received and acknowledged.
func bareExchange(from, to *bareClient, shape bareShape, data []byte) error {
	acked := make(chan int, len(data)/bareAckBytes+2) // room for all that the receiver sends
	var errs [3]error
	var tasks sync.WaitGroup
	tasks.Go(func() { errs[0] = from.sendAll(to.jid, shape, data, acked) })
	tasks.Go(func() {
		defer close(acked)
		errs[1] = from.readAcks(len(data), acked)
	})
	tasks.Go(func() { errs[2] = to.receiveAll(from.jid, len(data)) })
	tasks.Wait()
	return errors.Join(errs[:]...)
}

// sendAll writes one stanza at a time, as long as the window allows.
func (c *bareClient) sendAll(to string, shape bareShape, data []byte, acked <-chan int) error {
	received := 0
	write := make([]byte, 0, 8192)
	for sent := 0; sent < len(data); {
		n := min(shape.payload, len(data)-sent)
		for sent+n > received+bareWindowBytes {
			var ok bool
			if received, ok = <-acked; !ok {
				return errors.New("the acknowledgements ended")
			}
		}
		write = bareMessage(write[:0], to, data[sent:sent+n])
		if len(write) > 8192 {
			return fmt.Errorf("a stanza of %d bytes", len(write))
		}
		for len(write) < shape.padTo {
			write = append(write, ' ')
		}
		if _, err := c.conn.Write(write); err != nil {
			return err
		}
		sent += n
	}
	return nil
}

// bareMessage appends a message stanza with a payload in base64 to b.
func bareMessage(b []byte, to string, payload []byte) []byte {
	b = append(b, "<message to='"+to+"' type='headline'><p xmlns='urn:x-bench'>"...)
	b = base64.StdEncoding.AppendEncode(b, payload)
	return append(b, "</p></message>"...)
}

// readAcks passes on how much the other side has, until that is total.
func (c *bareClient) readAcks(total int, acked chan<- int) error {
	var buf [16]byte
	for {
		ack, err := c.message(buf[:])
		if err != nil {
			return fmt.Errorf("read acknowledgements: %w", err)
		}
		if len(ack) != 8 {
			return fmt.Errorf("an acknowledgement of %d bytes", len(ack))
		}
		received := int(binary.BigEndian.Uint64(ack))
		acked <- received
		if received == total {
			return nil
		}
	}
}

// receiveAll reads total bytes of payload and acknowledges them every bareAckBytes and at the end.
func (c *bareClient) receiveAll(from string, total int) error {
	buf := make([]byte, bareMaxPayloadBytes+2)
	var stanza []byte
	for received, told := 0, 0; received < total; {
		payload, err := c.message(buf)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		received += len(payload)
		if received-told < bareAckBytes && received < total {
			continue
		}
		told = received
		stanza = bareMessage(stanza[:0], from, binary.BigEndian.AppendUint64(nil, uint64(received)))
		if _, err := c.conn.Write(stanza); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
	}
	return nil
}
