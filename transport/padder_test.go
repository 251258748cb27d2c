package transport

import (
	"testing"
	"time"
)

// Full records are filled up, unless they come so slowly that something must limit bytes.
func TestPadding(t *testing.T) {
	const full = recordBytes - 100
	var p padder
	now := time.Unix(1_700_000_000, 0)
	send := func(every, during time.Duration) (last int) {
		for end := now.Add(during); now.Before(end); now = now.Add(every) {
			last = len(p.pad(make([]byte, full, maxMessageBytes), now))
		}
		return last
	}
	if n := send(time.Millisecond, 3*time.Second); n != recordBytes {
		t.Errorf("fast: %d bytes of a record", n)
	}
	if n := len(p.pad(make([]byte, 100, maxMessageBytes), now)); n != recordBytes {
		t.Errorf("a small record among full ones: %d bytes", n)
	}
	if n := send(time.Second, 5*time.Second); n != full {
		t.Errorf("slow: %d bytes of a record", n)
	}
	if n := send(time.Millisecond, 2*padWindow+time.Second); n != recordBytes {
		t.Errorf("fast again: %d bytes of a record", n)
	}
	send(3*time.Second, 12*time.Second)
	if n := len(p.pad(make([]byte, 100, maxMessageBytes), now)); n != 100 {
		t.Errorf("a small record: %d bytes", n)
	}
	now = now.Add(2 * padGap)
	send(time.Millisecond, time.Millisecond)
	now = now.Add(padGap / 2) // with nothing to send
	if n := send(time.Millisecond, padWindow/2); n != recordBytes {
		t.Errorf("after a short pause: %d bytes of a record", n)
	}
	now = now.Add(250 * time.Millisecond)
	if n := len(p.pad(make([]byte, 100, maxMessageBytes), now)); n != recordBytes {
		t.Errorf("a small record a bit later: %d bytes", n)
	}
	now = now.Add(2 * padGap)
	if n := send(time.Millisecond, time.Millisecond); n != recordBytes {
		t.Errorf("the first record after a pause: %d bytes", n)
	}
}
