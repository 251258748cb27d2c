package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/transport"
)

// A steady one carries so many bytes per second, directly until some time.
type steady struct {
	begin       time.Time
	rate        float64
	directUntil time.Duration
}

func (l steady) Bytes() uint64 { return uint64(time.Since(l.begin).Seconds() * l.rate) }

func (l steady) Path() transport.Path {
	return transport.Path{Direct: time.Since(l.begin) < l.directUntil, Why: "by our settings"}
}

// The user is told once, when much has gone through the server, and not of what goes directly.
func TestNoteInband(t *testing.T) {
	const told = "10 MB went through the xmpp server until now, 2.0 MB/s; it would be faster without it, but: by our settings\n"
	for _, test := range []struct {
		rate        float64
		directUntil time.Duration
		lasts       time.Duration
		want        string
	}{
		{2e6, 0, time.Minute, told},
		{2e6, 0, 4 * time.Second, ""},
		{2e6, time.Hour, time.Minute, ""},
		{2e6, 30 * time.Second, time.Minute, told},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), test.lasts)
			defer cancel()
			var out bytes.Buffer
			noteInband(ctx, steady{time.Now(), test.rate, test.directUntil}, &out)
			if got := out.String(); got != test.want {
				t.Errorf("%+v: %q", test, got)
			}
		})
	}
}
