package transport

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// heldStream is a stream whose peer's pace lets nothing go.
func heldStream(t *testing.T) *Stream {
	t.Helper()
	c, _ := inBand(t)
	s, err := c.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := &c.peer.pace
	p.mu.Lock()
	p.most, p.sent = pairBytes, p.arrived+1<<20
	p.parts = []part{{p.sent, time.Now().Add(time.Hour)}} // never arrives
	p.mu.Unlock()
	return s
}

// A write that is held back ends at its deadline, also one that is set meanwhile, and with the stream; what is small and alone goes.
func TestHeldWrite(t *testing.T) {
	s := heldStream(t)
	if n, err := s.Write(make([]byte, 100)); n != 100 || err != nil {
		t.Fatalf("a small write: %d bytes, %v", n, err)
	}
	_ = s.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := s.Write(make([]byte, 100_000)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("at its deadline: %v", err)
	}
	for what, end := range map[string]func(*Stream){
		"deadline": func(s *Stream) { _ = s.SetWriteDeadline(time.Now()) },
		"cancel":   func(s *Stream) { s.CancelWrite(quic.StreamErrorCode(codeCancel)) },
	} {
		s := heldStream(t)
		done := make(chan error, 1)
		go func() {
			_, err := s.Write(make([]byte, 100_000))
			done <- err
		}()
		p := &s.conn.peer.pace
		for until := time.Now().Add(10 * time.Second); p.waiting.Load() == 0 && time.Now().Before(until); {
			time.Sleep(time.Millisecond)
		}
		end(s)
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: it was written", what)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the write goes on", what)
		}
		if p.waiting.Load() != 0 {
			t.Errorf("%s: somebody still waits", what)
		}
	}
}

// A writer that QUIC has nothing more to say to asks what has arrived, and goes on.
func TestHeldWriteAsks(t *testing.T) {
	s := heldStream(t)
	const quiet = 200 * time.Millisecond // longer than an acknowledgement waits
	latest, since := time.Duration(0), time.Now()
	for time.Since(since) < quiet {
		if now := s.conn.quic.ConnectionStats().LatestRTT; now != latest {
			latest, since = now, time.Now()
		}
		time.Sleep(time.Millisecond)
	}
	p := &s.conn.peer.pace
	p.mu.Lock()
	p.parts[0].at, s.conn.trip = time.Now(), latest
	p.mu.Unlock()
	_ = s.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := s.Write(make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
}

// sendingAt is a packet that goes out at a time when the peer has been heard at another.
func sendingAt(now, heard time.Time, bytes int) sending {
	return sending{now: now, heard: heard, bytes: bytes}
}

// QUIC asks for what it hasn't heard of by full packets once in a second; new data, and what was found to be lost, goes at any time.
func TestEarly(t *testing.T) {
	now := time.Unix(1e9, 0)
	p := &pace{most: pairBytes, sent: 10, arrived: 5, taken: now.Add(-time.Minute), fresh: now.Add(-time.Minute), wrote: now.Add(-time.Minute)}
	heard := now.Add(-time.Minute)
	for _, c := range []struct {
		what  string
		after time.Duration
		heard time.Time
		lost  uint64
		early bool
	}{
		{"the first time", 0, heard, 0, false},
		{"again", 100 * time.Millisecond, heard, 0, true},
		{"after an answer", 200 * time.Millisecond, now.Add(190 * time.Millisecond), 0, true},
		{"what was lost", 300 * time.Millisecond, heard, 1, false},
		{"a bit later", 900 * time.Millisecond, heard, 1, true},
		{"a second later", askEvery, heard, 1, false},
		{"a second after that, when the peer has asked meanwhile", 2 * askEvery, now.Add(2*askEvery - 100*time.Millisecond), 1, false},
	} {
		if got := p.early(sending{now.Add(c.after), c.heard, maxPacketBytes, c.lost}); got != c.early {
			t.Errorf("%s: early is %v", c.what, got)
		}
	}
	p.lost = 0
	p.taken, p.fresh, p.most = now.Add(2*time.Second), now.Add(2*time.Second), openBytes
	if p.early(sendingAt(p.taken.Add(askEvery/2), heard, maxPacketBytes)) {
		t.Error("the first time is early where the server is fast")
	}
	if at := p.taken.Add(askEvery * 3 / 4); !p.early(sendingAt(at.Add(-askEvery/8), heard, maxPacketBytes)) || p.early(sendingAt(at, at, maxPacketBytes)) || p.early(sendingAt(at, heard, maxPacketBytes)) {
		t.Error("where the server is fast an answer, or that it has waited for half as long again, makes no difference")
	}
	p.most = pairBytes
	if p.early(sendingAt(p.taken.Add(justNow/2), heard, maxPacketBytes)) {
		t.Error("new data is early")
	}
	if p.arrived = p.sent; p.early(sendingAt(now.Add(100*time.Millisecond), heard, maxPacketBytes)) {
		t.Error("with nothing on the way it is early")
	}
}

// A writer that waits asks by small packets instead, each time after twice as long, and not for good.
func TestEarlyWriter(t *testing.T) {
	taken := time.Unix(1e9, 0)
	p := &pace{most: pairBytes, sent: 10, arrived: 5, taken: taken, fresh: taken}
	defer p.wait()()
	var asks []time.Duration
	for since := 50 * time.Millisecond; since < askPatience; since += 50 * time.Millisecond { // as if QUIC began again each time
		now := taken.Add(since)
		if !p.early(sendingAt(now, now.Add(-ackNow), 200)) || !p.early(sendingAt(now, now.Add(-ackNow), maxPacketBytes)) {
			t.Fatalf("QUIC itself asks after %v", since)
		}
		if p.asks() {
			p.nudge(now, true)
			if p.asks() || p.early(sendingAt(now, now.Add(-ackNow), 60)) {
				t.Errorf("after %v it asks twice, or can't", since)
			}
			asks = append(asks, since)
		}
	}
	if want := []time.Duration{firstAsk, 2 * firstAsk, 4 * firstAsk, againMost, 2 * againMost, 3 * againMost}; !slices.Equal(asks, want) {
		t.Errorf("it asks after %v, want %v", asks, want)
	}
	if p.early(sendingAt(taken.Add(askPatience), taken, maxPacketBytes)) {
		t.Error("QUIC may never ask")
	}
	now := taken.Add(time.Hour)
	p.nudge(now, false) // and it isn't sent
	if now = now.Add(2 * firstAsk); p.early(sendingAt(now, taken, maxPacketBytes)) || p.asks() {
		t.Error("QUIC, which had no room for a nudge, may not ask")
	}
}

// Small packets by which QUIC asks go each time after twice as long, though answers have it begin again; others go at any time.
func TestEarlySmall(t *testing.T) {
	taken := time.Unix(1e9, 0)
	p := &pace{most: pairBytes, sent: 10, arrived: 5, taken: taken, fresh: taken}
	went := 0
	for since := 50 * time.Millisecond; since < 10*askPatience; since += 50 * time.Millisecond {
		now := taken.Add(since)
		if first := p.early(sendingAt(now, now.Add(-ackNow), 100)); first != p.early(sendingAt(now, now.Add(-ackNow), 100)) {
			t.Fatalf("after %v two that go together don't", since)
		} else if !first {
			went++
		}
	}
	if went < 40 || went > 50 {
		t.Errorf("%d went in %v", went, 10*askPatience)
	}
	now := taken.Add(10*askPatience + justNow)
	if p.early(sendingAt(now, now, 100)) {
		t.Error("an acknowledgement is early")
	}
	p.touched.Store(now.UnixNano())
	if p.early(sendingAt(now, taken, 100)) {
		t.Error("what comes of reading is early")
	}
	p.touched.Store(0)
	if p.most = openBytes; p.early(sendingAt(now, taken, 100)) {
		t.Error("it is early where the server is fast")
	}
}
