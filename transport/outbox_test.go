package transport

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/chunk"
	"mellium.im/xmpp/jid"
)

func testPeer(address string) *peer { return newPeer(jid.MustParse(address)) }

// takeAll empties an outbox without waiting for packets to be due.
func takeAll(o *outbox) (records [][]byte) {
	for {
		record, wait, _ := o.tryTake(nil)
		if len(record) == 0 && wait == 0 {
			return records
		}
		if len(record) > 0 {
			records = append(records, bytes.Clone(record))
			continue
		}
		o.mu.Lock()
		o.flushLocked(nil)
		o.mu.Unlock()
	}
}

// B17: whatever the address and the packets, a payload is at most 4,096 bytes and a stanza at most 8,192.
func TestStanzaLimits(t *testing.T) {
	for _, localpart := range []int{1, 20, 500, 1023} {
		p := testPeer(strings.Repeat("a", localpart) + "@example.org/git-0123456789abcdef")
		size := int(packetSize(p))
		if size < minPacketBytes || size > maxPacketBytes {
			t.Errorf("packets of %d bytes to an address of %d", size, len(p.full))
		}
		if limit := p.payloadLimit(); limit > chunk.MaxPayloadBytes || !chunk.Fits(0, size, limit) {
			t.Errorf("payloads of %d bytes don't take a packet of %d", limit, size)
		}
		o := newOutbox()
		o.link(true)
		for i := range 20 {
			if err := o.packet(p, make([]byte, max(1, size-i*70))); err != nil {
				t.Fatal(err)
			}
		}
		for _, record := range takeAll(o) {
			for stanza := range strings.SplitAfterSeq(string(record), "</message>") {
				if len(stanza) > maxMessageBytes {
					t.Errorf("a stanza of %d bytes to an address of %d", len(stanza), len(p.full))
				}
			}
		}
	}
}

// Two full packets to an ordinary address fill one record, and four one of the largest stanzas.
func TestPacketsFillRecords(t *testing.T) {
	p := testPeer("bob@example.org/git-0123456789abcdef")
	o := newOutbox()
	o.link(true)
	for range 6 {
		if err := o.packet(p, make([]byte, packetSize(p))); err != nil {
			t.Fatal(err)
		}
	}
	records := takeAll(o)
	if len(records) != 2 {
		t.Fatalf("%d records for 6 packets", len(records))
	}
	for i, limit := range []int{maxMessageBytes, recordBytes} {
		if n := len(records[i]); n > limit || n < limit*95/100 {
			t.Errorf("a record of %d bytes", n)
		}
	}
}

// Behind a server with a small limit a message has one payload, and fills a record.
func TestOnlySmallMessages(t *testing.T) {
	p := testPeer("bob@example.org/git-0123456789abcdef")
	o := newOutbox()
	o.link(true)
	o.onlySmall()
	for range 4 {
		if err := o.packet(p, make([]byte, packetSize(p))); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range takeAll(o) {
		if len(r) > recordBytes {
			t.Errorf("a record of %d bytes", len(r))
		}
	}
}

// Stanzas and packets leave in the order in which they came.
func TestOrder(t *testing.T) {
	p := testPeer("bob@example.org/r")
	o := newOutbox()
	o.link(true)
	var want []string
	for i := range 50 {
		text := fmt.Sprintf("packet %d", i)
		if i%7 == 3 {
			if err := o.send([]byte("<stanza n='" + text + "'/>")); err != nil {
				t.Fatal(err)
			}
		} else if err := o.packet(p, []byte(text)); err != nil {
			t.Fatal(err)
		}
		want = append(want, text)
	}
	out := string(bytes.Join(takeAll(o), nil))
	var got []string
	for out != "" {
		if rest, ok := strings.CutPrefix(out, "<stanza n='"); ok {
			text, after, _ := strings.Cut(rest, "'/>")
			got, out = append(got, text), after
			continue
		}
		_, rest, _ := strings.Cut(out, payloadOpen)
		encoded, rest, _ := strings.Cut(rest, payloadClose)
		payload, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if err := chunk.Split(payload, func(d []byte) { got = append(got, string(d)) }); err != nil {
			t.Fatal(err)
		}
		out = strings.TrimPrefix(rest, messageClose)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A full queue blocks the sender until the writer takes something, or the link is lost.
func TestFullQueueBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testPeer("bob@example.org/r")
		o := newOutbox()
		o.link(true)
		sent := 0
		done := make(chan error, 1)
		go func() {
			for range 1000 {
				if err := o.packet(p, make([]byte, 1400)); err != nil {
					done <- err
					return
				}
				sent++
			}
			done <- nil
		}()
		synctest.Wait()
		if sent*1400 < maxQueuedBytes-1400 || sent*1400 > maxQueuedBytes+1400 {
			t.Errorf("%d packets queued", sent)
		}
		before := sent
		if record := o.take(t.Context(), nil); len(record) == 0 {
			t.Error("nothing to take")
		}
		synctest.Wait()
		if sent <= before {
			t.Error("the sender still waits")
		}
		o.link(false) // from here on the oldest are dropped
		if err := <-done; err != nil {
			t.Error(err)
		}
		o.close()
		if err := o.packet(p, []byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// A full packet waits for company for packingDelay, a small one while much comes in for ackDelay, and otherwise not at all.
func TestPackingDelay(t *testing.T) {
	for name, c := range map[string]struct {
		bytes int
		bulk  bool
		want  time.Duration
	}{
		"small":               {40, false, 0},
		"full":                {1400, false, packingDelay},
		"acknowledgement":     {40, true, ackDelay},
		"full, much comes in": {1400, true, packingDelay},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := testPeer("bob@example.org/r")
			o := newOutbox()
			o.link(true)
			if c.bulk {
				o.bulk(time.Now())
			}
			began := time.Now()
			if err := o.packet(p, make([]byte, c.bytes)); err != nil {
				t.Fatal(err)
			}
			record := o.take(context.Background(), nil)
			if took := time.Since(began); took != c.want || bytes.Count(record, []byte("<message")) != 1 {
				t.Errorf("%s: taken after %v: %s", name, took, record)
			}
		})
	}
}

// A stanza that is in no hurry goes behind the next packets, or after lateDelay, or when the session ends.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox()
		o.link(true)
		late := func() {
			t.Helper()
			if err := o.sendLate([]byte("<late/>")); err != nil {
				t.Fatal(err)
			}
		}
		taken := func(want string, after time.Duration) {
			t.Helper()
			began := time.Now()
			record := string(o.take(context.Background(), nil))
			if took := time.Since(began); !strings.HasPrefix(record, want) || !strings.HasSuffix(record, "<late/>") || took != after {
				t.Errorf("taken after %v: %s", took, record)
			}
		}
		late()
		taken("<late/>", lateDelay)
		late()
		if err := o.packet(testPeer("bob@example.org/r"), []byte("packet")); err != nil {
			t.Fatal(err)
		}
		taken("<message", 0)
		late()
		if err := o.send([]byte("<other/>")); err != nil {
			t.Fatal(err)
		}
		taken("<other/>", 0)
		late()
		o.close()
		taken("<late/>", 0)
		if err := o.sendLate([]byte("<late/>")); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestPadder(t *testing.T) {
	now := time.Now()
	var p padder
	pad := func(n int) int { return len(p.pad(make([]byte, n), now)) }
	if got := pad(300); got != 300 {
		t.Errorf("a small record alone is padded to %d", got)
	}
	if got := pad(4000); got != recordBytes {
		t.Errorf("a full record is padded to %d", got)
	}
	if got := pad(300); got != recordBytes {
		t.Errorf("a small record right after is padded to %d", got)
	}
	if got := pad(7900); got != maxMessageBytes {
		t.Errorf("a large record is padded to %d", got)
	}
	now = now.Add(time.Second)
	if got := pad(300); got != 300 {
		t.Errorf("a small record later is padded to %d", got)
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		d.init()
		passed := func() bool {
			synctest.Wait()
			select {
			case <-d.passed():
				return true
			default:
				return false
			}
		}
		if d.set(time.Now().Add(time.Second)); passed() {
			t.Error("too early")
		}
		if time.Sleep(2 * time.Second); !passed() {
			t.Error("not passed")
		}
		if d.set(time.Time{}); passed() {
			t.Error("not taken back")
		}
		if d.set(time.Now()); !passed() {
			t.Error("now hasn't passed")
		}
		d.set(time.Now().Add(time.Second))
		d.set(time.Now().Add(time.Hour))
		if time.Sleep(2 * time.Second); passed() {
			t.Error("the old deadline passed")
		}
		d.set(time.Time{})
	})
}

// A peer that asks with a long id would have us send more than servers take.
func TestNoLargeStanza(t *testing.T) {
	o := newOutbox()
	o.link(true)
	if err := o.send(marshalIQ("result", strings.Repeat(`"`, 3000), "alice@example.org/r", "")); !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
	if err := o.send(marshalIQ("result", "1", "alice@example.org/r", "")); err != nil {
		t.Error(err)
	}
}
