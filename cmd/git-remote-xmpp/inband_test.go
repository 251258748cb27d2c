package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/internal/notice"
	"git-remote-xmpp/transport"
)

// A steady pack goes at so many bytes per second, directly until some time.
type steady struct {
	begin       time.Time
	rate        float64
	burst       float64 // what buffers take at once
	directUntil time.Duration
	directFrom  time.Duration // if it isn't 0
}

func (l steady) seen() (time.Time, int64) {
	return l.begin, int64(l.burst + time.Since(l.begin).Seconds()*l.rate)
}

func (l steady) path() (transport.Path, bool) {
	since := time.Since(l.begin)
	return transport.Path{Direct: since < l.directUntil || l.directFrom > 0 && since >= l.directFrom, Why: "UDP is blocked"}, true
}

// The user is told once: soon, where it is known how much there is, or when much has gone through the server; and not of what goes directly.
func TestInbandNote(t *testing.T) {
	const (
		soon  = "about 40 MB go through the xmpp server, for 18 s more at 2.0 MB/s; it would be faster without it, but: UDP is blocked\n"
		later = "10 MB went through the xmpp server until now, 2.0 MB/s; it would be faster without it, but: UDP is blocked\n"
	)
	for name, test := range map[string]struct {
		steady
		lasts time.Duration
		size  int64 // estimated; negative: not in time
		never bool  // xmpp.directPath
		limit int
		want  string
	}{
		"known":                    {steady{rate: 2e6}, 3 * time.Second, 40e6, false, 0, soon},
		"buffers":                  {steady{rate: 2e6, burst: 1e6}, 3 * time.Second, 41e6, false, 0, "about 41 MB" + soon[len("about 40 MB"):]},
		"not for long":             {steady{rate: 2e6}, 1900 * time.Millisecond, 40e6, false, 0, ""},
		"slow":                     {steady{rate: 1e4}, 20 * time.Second, 40e6, false, 0, "about 40 MB go through the xmpp server, for 67 min more at 10 kB/s; it would be faster without it, but: UDP is blocked\n"},
		"little":                   {steady{rate: 2e6}, 4 * time.Second, 8e6, false, 0, ""},
		"more than estimated":      {steady{rate: 2e6}, time.Minute, 8e6, false, 0, later},
		"direct":                   {steady{rate: 2e6, directUntil: time.Hour}, time.Minute, 40e6, false, 0, ""},
		"direct soon":              {steady{rate: 2e6, directFrom: time.Second}, time.Minute, 40e6, false, 0, ""},
		"direct at first":          {steady{rate: 2e6, directUntil: 10 * time.Second}, time.Minute, 100e6, false, 0, "about 100 MB go through the xmpp server, for 38 s more at 2.0 MB/s; it would be faster without it, but: UDP is blocked\n"},
		"unknown":                  {steady{rate: 2e6}, time.Minute, 0, false, 0, later},
		"unknown, not for long":    {steady{rate: 2e6}, 4 * time.Second, 0, false, 0, ""},
		"not in time":              {steady{rate: 2e6}, time.Minute, -1, false, 0, later},
		"never":                    {steady{rate: 2e6}, time.Minute, 40e6, true, 0, "about 40 MB go through the xmpp server, for 18 s more at 2.0 MB/s\n"},
		"never, unknown":           {steady{rate: 2e6}, time.Minute, 0, true, 0, ""},
		"never, unknown, a limit":  {steady{rate: 2e6}, time.Minute, 0, true, 2e6, "10 MB went through the xmpp server until now, 2.0 MB/s; xmpp.inbandLimit is 2.0 MB/s\n"},
		"fast":                     {steady{rate: 20e6}, 800 * time.Millisecond, 40e6, false, 0, "about 40 MB go through the xmpp server, for 1 s more at 20.0 MB/s; it would be faster without it, but: UDP is blocked\n"},
		"over before it was known": {steady{rate: 20e6}, 400 * time.Millisecond, 40e6, false, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.lasts+time.Millisecond)
				defer cancel()
				test.begin = time.Now()
				var out bytes.Buffer
				n := &inbandNote{seen: test.seen, path: test.path, direct: !test.never, limit: test.limit, out: notice.New(t.Context(), &out), estimate: func(ctx context.Context) (int64, error) {
					if test.size >= 0 {
						return test.size, nil
					}
					<-ctx.Done()
					return 0, errors.New("too slow")
				}}
				n.run(ctx)
				if got := out.String(); got != test.want {
					t.Errorf("told %q, want %q", got, test.want)
				}
			})
		})
	}
}

// A pack is found wherever it begins, and what the other direction carries isn't of it.
func TestMeter(t *testing.T) {
	const pack = "PACK\x00\x00\x00\x02\x00\x00\x00\x01 and so on"
	for cut := range len("commands" + pack) {
		var m meter
		m.begin("git-receive-pack")
		m.see(false, []byte("refs PACK\x00\x00\x00\x02"))
		all := []byte("commands" + pack)
		m.see(true, all[:cut])
		m.see(false, []byte("!"))
		m.see(true, all[cut:])
		m.see(false, []byte("more"))
		m.see(true, []byte("end"))
		if began, n := m.seen(); began.IsZero() || n != int64(len(pack)+len("end")) {
			t.Errorf("cut at %d: %d bytes of the pack", cut, n)
		}
		if push, sent, came := m.said(); !push || !bytes.HasPrefix(sent, []byte("commands")[:min(cut, len("commands"))]) || !bytes.HasPrefix(came, []byte("refs ")) {
			t.Errorf("cut at %d: %q, %q", cut, sent, came)
		}
	}
}
