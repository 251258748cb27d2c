package integration

import (
	"context"
	"crypto/ed25519"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
)

const (
	// traceEvery is how often it is looked at how much has come.
	traceEvery = 100 * time.Millisecond
	// traceTime is how long a transfer is looked at, and traceEvent when something happens to it.
	traceTime  = 10 * time.Second
	traceEvent = 3 * time.Second
	// traceBytesPerSecond is what the wires carry that are cut.
	traceBytesPerSecond = 2_000_000
)

// BenchmarkTraces looks at the rate of a transfer over time: when both ends lose their connections to the server, and when packets begin to go directly.
func BenchmarkTraces(b *testing.B) {
	traces := []benchTrace{traceCut(b), traceSwitch(b)}
	var rows []*benchRow
	for _, t := range traces {
		rows = append(rows, &benchRow{over: t.Name, name: "longest time without data", number: func() float64 { return t.longestGap() }, scale: "s"})
	}
	benchReport(b, "traces", rows, 1, "What arrives of a stream in each 100 ms.", traces...)
}

// traceCut resets both connections to the server.
func traceCut(b *testing.B) benchTrace {
	b.Helper()
	s := benchServer(b, testserver.Prosody, testserver.Options{})
	alices, hers := newWire(b, s, traceBytesPerSecond)
	bobs, his := newWire(b, s, traceBytesPerSecond)
	stream := newBenchStreamAt(b, benchSeat{hers, "alice"}, benchSeat{his, "bob"}, nil)
	trace := stream.trace("cut, prosody", func() {
		alices.cut()
		bobs.cut()
	}, nil)
	trace.Marks = append(trace.Marks, benchMark{traceEvent.Seconds(), "both connections cut"})
	return trace
}

// traceSwitch lets the two know each other's addresses.
func traceSwitch(b *testing.B) benchTrace {
	b.Helper()
	s := benchServer(b, testserver.Prosody, testserver.Options{})
	var allowed atomic.Bool
	direct := func(c *transport.Config) {
		c.Direct = &transport.Direct{Allow: func(ed25519.PublicKey) bool { return allowed.Load() }}
	}
	stream := newBenchStreamAt(b, benchSeat{s, "alice"}, benchSeat{s, "bob"}, nil, direct)
	trace := stream.trace("direct path, prosody", func() {
		allowed.Store(true)
		stream.knockOpen() // it is asked again as streams are opened
	}, func() bool { return stream.from.Path().Direct })
	if len(trace.Marks) == 0 {
		b.Errorf("no direct path: %s", stream.from.Path().Why)
	}
	return trace
}

// trace sends for traceTime and calls event at traceEvent. It marks when seen is true first; it may be nil.
func (b *benchStream) trace(name string, event func(), seen func() bool) benchTrace {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(b.tb.Context(), deadline)
	defer cancel()
	out, err := b.from.OpenStream(ctx)
	if err != nil {
		b.tb.Fatal(err)
	}
	var arrived atomic.Int64
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for data := benchRandom(32 << 10); ; {
			if _, err := out.Write(data); err != nil {
				return // cancelled, below
			}
		}
	})
	in, err := b.to.AcceptStream(ctx)
	if err != nil {
		b.tb.Fatal(err)
	}
	tasks.Go(func() {
		buf := make([]byte, 32<<10)
		for err := error(nil); err == nil; {
			var n int
			n, err = in.Read(buf)
			arrived.Add(int64(n))
		}
	})
	t := benchTrace{Name: name, Unit: "MB/s", Every: traceEvery.Seconds()}
	ticker := time.NewTicker(traceEvery)
	defer ticker.Stop()
	for before, n := int64(0), 1; time.Duration(n)*traceEvery <= traceTime; n++ {
		<-ticker.C
		now := arrived.Load()
		t.Values = append(t.Values, rounded(float64(now-before)/1e6/traceEvery.Seconds()))
		before = now
		at := time.Duration(n) * traceEvery
		if at == traceEvent {
			event()
		}
		if seen != nil && seen() {
			t.Marks, seen = append(t.Marks, benchMark{at.Seconds(), "direct path"}), nil
		}
	}
	out.CancelWrite(0)
	in.CancelRead(0)
	tasks.Wait()
	return t
}

// knockOpen opens a stream and takes it on the other side.
func (b *benchStream) knockOpen() {
	ctx, cancel := context.WithTimeout(b.tb.Context(), deadline)
	defer cancel()
	out, err := b.from.OpenStream(ctx)
	if err == nil {
		_, err = out.Write([]byte{0})
	}
	if err == nil {
		_, err = b.to.AcceptStream(ctx)
	}
	if err != nil {
		b.tb.Error(err)
	}
}

// longestGap is for how many seconds nothing came.
func (t *benchTrace) longestGap() (seconds float64) {
	gap := 0
	for _, v := range t.Values {
		if gap++; v > 0 {
			gap = 0
		}
		seconds = max(seconds, float64(gap)*t.Every)
	}
	return seconds
}
