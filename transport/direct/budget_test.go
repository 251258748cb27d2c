package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

// On a network that changes all the time tries go on, and the peer doesn't have too many of them.
func TestBeginsOnRestlessNetwork(t *testing.T) {
	l := New(Config{Controlling: true})
	theirs := budget{most: burstStarts, every: startEvery}
	begin := time.Now()
	const lasts = 10 * time.Minute
	tries := 0
	for now := begin; now.Sub(begin) < lasts; now = now.Add(beat) {
		if err := l.hear(t.Context(), signal{kind: signalAgain}); err != nil { // as after each change of the peer's
			t.Fatal(err)
		}
		if !l.due(now) {
			continue
		}
		l.turn.lastStart = now
		if tries++; !theirs.take(now, 1) {
			t.Fatalf("try %d after %v is one too many", tries, now.Sub(begin))
		}
	}
	if want := int(lasts / (2 * startEvery)); tries < want {
		t.Errorf("%d tries, want %d", tries, want)
	}
}

// A peer that sends too many messages has no direct path any more.
func TestFlood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		message signal
		burst   uint32
	}{
		{signal{kind: signalStart, ufrag: "abcd", pwd: "0123456789012345678901"}, burstStarts},
		{signal{kind: signalNone}, burstStarts},
		{signal{kind: signalAgain}, burstSignals},
	} {
		t.Run(fmt.Sprint(c.message.kind), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			in, peer := io.Pipe()
			defer peer.Close()
			defer context.AfterFunc(ctx, func() { _ = in.Close() })()
			ended := make(chan error, 1)
			go func() {
				err := New(Config{Loopback: true}).Run(ctx, in, io.Discard)
				_ = in.Close() // nothing more is read
				ended <- err
			}()
			for ; c.message.generation < 2*burstSignals; c.message.generation++ {
				if _, err := peer.Write(appendSignal(nil, c.message)); err != nil {
					break
				}
			}
			if n, err := c.message.generation, <-ended; !errors.Is(err, errTooMany) || n < c.burst || n > c.burst+c.burst/4 {
				t.Errorf("after %d: %v", n, err)
			}
		})
	}
}
