package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
)

const (
	// limitedTime is for how long control messages are sent beside a transfer, unless BENCH_LIMITED_SECONDS says otherwise.
	limitedTime = 45 * time.Second
	// controlPause is between the answer to a control message and the next one.
	controlPause = time.Second
	// tlsRecordBytes is what a record of TLS 1.3 has beside what is in it.
	tlsRecordBytes = 22
)

// BenchmarkLimited measures what is written to servers that limit bytes, as Debian's do by default, and how long a control message takes beside a transfer.
func BenchmarkLimited(b *testing.B) {
	links := []*limitedLink{
		newLimitedLink(b, testserver.Prosody, testserver.Options{BytesPerSecond: 10_000}, 200_000),
		newLimitedLink(b, testserver.Ejabberd, testserver.Options{BytesPerSecond: 3_000, BurstBytes: 20_000}, 200_000),
	}
	seconds := number(b, "BENCH_LIMITED_SECONDS", int64(limitedTime.Seconds()))
	var rows []*benchRow
	for _, l := range links {
		rows = append(rows, l.rows()...)
	}
	first := rows[0].number
	rows[0].number = func() float64 { // all at the same time: they wait
		var all sync.WaitGroup
		for _, l := range links {
			all.Go(func() { l.measure(time.Duration(seconds) * time.Second) })
		}
		all.Wait()
		return first()
	}
	benchReport(b, "limited", rows, 1, "Debian's default limits: Prosody 10 kB/s, ejabberd 3 kB/s and a burst of 20 kB. Bytes are those on the wire, of TLS.\n"+
		"The least is what bare messages of at most 8,192 bytes take. A control message is a byte on a stream of its own beside a transfer, and its echo.")
}

// A limitedLink is Alice, who sends to Bob through a server that limits bytes.
type limitedLink struct {
	b             testing.TB
	over          string
	stream        *benchStream
	alices, bobs  *wire
	took          time.Duration
	written, back float64 // bytes, by the least
	answers       []time.Duration
}

func newLimitedLink(b *testing.B, name string, o testserver.Options, size int) *limitedLink {
	b.Helper()
	l := &limitedLink{b: b, over: fmt.Sprintf("%s, %d kB/s", name, o.BytesPerSecond/1000)}
	s := benchServer(b, name, o)
	var hers, his *testserver.Server
	l.alices, hers = newWire(b, s, 0)
	l.bobs, his = newWire(b, s, 0)
	l.stream = newBenchStreamAt(b, benchSeat{hers, "alice"}, benchSeat{his, "bob"}, benchRandom(size))
	l.stream.patience = 10 * time.Minute
	return l
}

func (l *limitedLink) rows() []*benchRow {
	row := func(name, unit string, number func() float64) *benchRow {
		return &benchRow{over: l.over, name: name, scale: unit, number: number}
	}
	return []*benchRow{
		row("bytes that Alice writes, by the least", "", func() float64 { return l.written }),
		row("bytes that Bob writes meanwhile, by the same", "", func() float64 { return l.back }),
		row("rate", "kB/s", func() float64 { return float64(len(l.stream.data)) / 1e3 / l.took.Seconds() }),
		row("control message answered after, median", "s", func() float64 { return medianOf(l.answers).Seconds() }),
		row("control message answered after, longest", "s", func() float64 { return slices.Max(l.answers).Seconds() }),
	}
}

// measure is called by a goroutine of its own.
func (l *limitedLink) measure(beside time.Duration) {
	err := l.transfer()
	if err == nil {
		l.answers, err = l.control(beside)
	}
	if err != nil {
		l.b.Errorf("%s: %v", l.over, l.stream.from.Explain(err))
		l.answers = []time.Duration{0}
	}
}

// transfer sends the data, and nothing else, and counts.
func (l *limitedLink) transfer() (err error) {
	alices, bobs := l.alices.sent.Load(), l.bobs.sent.Load()
	l.took, err = l.stream.send(l.stream.from, l.stream.to)
	least := float64(leastBytes(len(l.stream.data), l.stream.from.Peer().String()))
	l.written, l.back = float64(l.alices.sent.Load()-alices)/least, float64(l.bobs.sent.Load()-bobs)/least
	return err
}

// leastBytes is what n bytes of payload take in bare messages of at most bareMaxBytes.
func leastBytes(n int, to string) (bytes int) {
	most := (bareMaxBytes - len(bareMessage(nil, to, bareData, nil))) / 4 * 3
	for n > 0 {
		part := min(n, most)
		bytes += len(bareMessage(nil, to, bareData, make([]byte, part))) + tlsRecordBytes
		n -= part
	}
	return bytes
}

// control sends control messages while data that never ends goes the same way, and returns how long each took. The last one may have no answer yet.
func (l *limitedLink) control(beside time.Duration) (answers []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(l.b.Context(), l.stream.patience)
	defer cancel()
	near, far, err := l.echoStream(ctx)
	if err != nil {
		return nil, err
	}
	out, err := l.stream.from.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	var over atomic.Bool
	var tasks sync.WaitGroup
	tasks.Go(func() { echoAll(far) })
	tasks.Go(func() { l.swallow(ctx) })
	tasks.Go(func() {
		for data := benchRandom(1 << 10); !over.Load(); {
			if _, err := out.Write(data); err != nil {
				return // cancelled, at the end
			}
		}
	})
	end := func() {
		over.Store(true)
		out.CancelWrite(0)
		near.CancelRead(0)
		near.CancelWrite(0)
	}
	stop := time.AfterFunc(beside, end)
	defer stop.Stop()
	for time.Sleep(controlPause); !over.Load(); time.Sleep(controlPause) {
		asked := time.Now()
		answered := ask(near)
		if answers = append(answers, time.Since(asked)); answered != nil && !over.Load() {
			err = answered
			break
		}
	}
	end()
	tasks.Wait()
	if len(answers) == 0 {
		err = errors.Join(err, errors.New("no control message was sent"))
	}
	return answers, err
}

// echoStream opens the stream of control messages. Both ends of it know of it.
func (l *limitedLink) echoStream(ctx context.Context) (near, far *transport.Stream, err error) {
	if near, err = l.stream.from.OpenStream(ctx); err != nil {
		return nil, nil, err
	}
	var one [1]byte
	if _, err = near.Write(one[:]); err != nil {
		return nil, nil, err
	}
	if far, err = l.stream.to.AcceptStream(ctx); err == nil {
		_, err = far.Read(one[:])
	}
	return near, far, err
}

// ask sends a control message and waits for its answer.
func ask(near *transport.Stream) error {
	var one [1]byte
	if _, err := near.Write(one[:]); err != nil {
		return err
	}
	_, err := near.Read(one[:])
	return err
}

func echoAll(s *transport.Stream) {
	var one [1]byte
	for {
		if _, err := s.Read(one[:]); err != nil {
			return
		}
		if _, err := s.Write(one[:]); err != nil {
			return
		}
	}
}

// swallow reads what comes, until it is cancelled.
func (l *limitedLink) swallow(ctx context.Context) {
	in, err := l.stream.to.AcceptStream(ctx)
	if err != nil {
		return
	}
	buf := make([]byte, 32<<10)
	for err == nil {
		_, err = in.Read(buf)
	}
}
