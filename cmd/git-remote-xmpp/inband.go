package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"git-remote-xmpp/internal/notice"
	"git-remote-xmpp/transport"
)

const (
	// inbandBytes is how much goes through the server without a word.
	inbandBytes = 10_000_000
	// inbandLook is how often that is looked at.
	inbandLook = 250 * time.Millisecond
	// estimateAfter is how long a pack is under way until its size is estimated, which isn't worth it for small ones; estimateWithin how long that may take.
	estimateAfter, estimateWithin = 500 * time.Millisecond, 2 * time.Second
)

// An inbandNote tells the user, once, or all the time where it can be told in place, that much goes through the XMPP server, how long that takes, and what keeps it from being faster.
type inbandNote struct {
	// seen is when the pack began, and how much of it has gone.
	seen func() (began time.Time, bytes int64)
	// path is how packets go, if that is known.
	path func() (transport.Path, bool)
	// estimate is about how many bytes there will be; 0 if that can't be known.
	estimate func(ctx context.Context) (int64, error)
	direct   bool // the user would have packets go directly
	limit    int  // xmpp.inbandLimit
	out      *notice.Writer
	inPlace  bool // git has no meters of its own on the terminal
}

// run watches a transfer until ctx is done.
func (n *inbandNote) run(ctx context.Context) {
	var task sync.WaitGroup
	defer task.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ticker := time.NewTicker(inbandLook)
	defer ticker.Stop()
	var f flow
	var size int64
	var estimates chan int64 // nil: not asked for yet
	asked := false
	line := n.out.Line()
	line.Timed = false // it says how much longer
	defer line.Clear()
	for {
		select {
		case <-ctx.Done():
			return
		case size = <-estimates:
			estimates = nil
		case now := <-ticker.C:
			began, bytes := n.seen()
			path, ok := n.path()
			if began.IsZero() || !ok {
				continue
			}
			if !asked && now.Sub(began) >= estimateAfter {
				asked, estimates = true, make(chan int64, 1)
				task.Go(func() { estimates <- n.sized(ctx) })
			}
			f.take(now, began, bytes, path.Direct)
			text := n.text(&f, size, path)
			switch {
			case text == "":
				line.Clear() // of what went through the server before
			case !asked || estimates != nil:
			case n.inPlace:
				line.Set(text)
			default:
				fmt.Fprintln(n.out, text)
				return
			}
		}
	}
}

// sized is the estimate, in time or not at all: without one, the user is told when much has gone.
func (n *inbandNote) sized(ctx context.Context) int64 {
	ctx, cancel := context.WithTimeout(ctx, estimateWithin)
	defer cancel()
	size, err := n.estimate(ctx)
	if err != nil {
		return 0
	}
	return size
}

// text is what there is to say by now.
func (n *inbandNote) text(f *flow, size int64, path transport.Path) string {
	const mega = 1e6
	rate, known := f.rate()
	left := float64(size - f.bytes)
	switch {
	case path.Direct || !known:
	case size >= inbandBytes && left > 0:
		return fmt.Sprintf("about %.0f MB go through the xmpp server, for %s more at %s", float64(size)/mega, duration(left/rate), perSecond(rate)) + n.remedy(path)
	case f.through() >= inbandBytes && (n.direct || n.limit > 0):
		return fmt.Sprintf("%.0f MB went through the xmpp server until now, %s", float64(f.through())/mega, perSecond(rate)) + n.remedy(path)
	}
	return ""
}

// remedy is what would make it faster.
func (n *inbandNote) remedy(path transport.Path) (text string) {
	if n.limit > 0 {
		text = fmt.Sprintf("; xmpp.inbandLimit is %s", perSecond(float64(n.limit)))
	}
	if n.direct {
		text += "; it would be faster without it, but: " + path.Why
	}
	return text
}

// perSecond is a rate for people.
func perSecond(rate float64) string {
	const kilo, mega = 1e3, 1e6
	if rate < mega/10 {
		return fmt.Sprintf("%.0f kB/s", rate/kilo)
	}
	return fmt.Sprintf("%.1f MB/s", rate/mega)
}

// duration is a number of seconds for people.
func duration(seconds float64) string {
	const minute, hour, many = 60, 3600, 2
	switch {
	case seconds < many*minute:
		return fmt.Sprintf("%.0f s", max(1, seconds))
	case seconds < many*hour:
		return fmt.Sprintf("%.0f min", seconds/minute)
	}
	return fmt.Sprintf("%.0f h", seconds/hour)
}

const (
	// settleFor is how long the rate isn't looked at: what goes first fills buffers.
	settleFor = time.Second
	// The rate is known when it was seen for so long and over so many bytes, for windows are moved on by large steps; or, where next to nothing goes, for the longer time.
	rateOver, rateBytes, rateWithin = time.Second, 512 << 10, 8 * time.Second
)

// A flow is what goes through the server without a break.
type flow struct {
	begin, settled, now time.Time
	first, from, bytes  int64 // of the pack, at each of these
}

// take takes note of how much has gone of the pack, which began some time ago.
func (f *flow) take(now, began time.Time, bytes int64, direct bool) {
	switch {
	case direct:
		*f = flow{begin: now, first: bytes}
	case f.begin.IsZero():
		f.begin = began
	case f.settled.IsZero() && now.Sub(f.begin) >= settleFor:
		f.settled, f.from = now, bytes
	}
	f.now, f.bytes = now, bytes
}

func (f *flow) through() int64 { return f.bytes - f.first }

// rate is in bytes per second, once it is known.
func (f *flow) rate() (perSecond float64, known bool) {
	if f.settled.IsZero() {
		return float64(f.through()) / f.now.Sub(f.begin).Seconds(), f.through() >= inbandBytes
	}
	took, bytes := f.now.Sub(f.settled), f.bytes-f.from
	known = took >= rateOver && bytes >= rateBytes || took >= rateWithin && bytes > 0
	if !known && f.through() >= inbandBytes {
		return float64(f.through()) / f.now.Sub(f.begin).Seconds(), true
	}
	return float64(bytes) / took.Seconds(), known
}
