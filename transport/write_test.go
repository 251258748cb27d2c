package transport

import (
	"errors"
	"os"
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

// QUIC asks for what it hasn't heard of once in a second; new data, and what follows an answer, goes at any time.
func TestEarly(t *testing.T) {
	now := time.Unix(1e9, 0)
	p := &pace{most: pairBytes, sent: 10, arrived: 5, taken: now.Add(-time.Minute), wrote: now.Add(-time.Minute)}
	heard := now.Add(-time.Minute)
	for _, c := range []struct {
		what  string
		after time.Duration
		heard time.Time
		early bool
	}{
		{"the first time", 0, heard, false},
		{"again", 100 * time.Millisecond, heard, true},
		{"after an answer", 200 * time.Millisecond, now.Add(190 * time.Millisecond), false},
		{"a bit later", 900 * time.Millisecond, heard, true},
		{"a second later", askEvery, heard, false},
		{"a second after that, when the peer has asked meanwhile", 2 * askEvery, now.Add(2*askEvery - 100*time.Millisecond), false},
	} {
		if got := p.early(now.Add(c.after), c.heard); got != c.early {
			t.Errorf("%s: early is %v", c.what, got)
		}
	}
	p.taken, p.asked, p.most = now.Add(2*time.Second), time.Time{}, openBytes
	if p.early(p.taken.Add(askEvery/2), heard) {
		t.Error("the first time is early where the server is fast")
	}
	p.most = pairBytes
	if done := p.wait(); !p.early(p.taken.Add(2*askEvery), heard) || !p.asks() || p.asks() || p.early(p.taken.Add(askPatience), heard) {
		t.Error("a writer that waits doesn't ask instead, or for good")
	} else {
		done()
	}
	if p.early(p.taken.Add(justNow/2), heard) {
		t.Error("new data is early")
	}
	if p.arrived = p.sent; p.early(now.Add(100*time.Millisecond), heard) {
		t.Error("with nothing on the way it is early")
	}
}
