package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"git-remote-xmpp/transport"
)

const (
	// inbandBytes is how much goes through the server until the user is told.
	inbandBytes = 10_000_000
	// inbandLook is how often that is looked at.
	inbandLook = 500 * time.Millisecond
)

// A carrier is a connection, as far as its load and its path go.
type carrier interface {
	Bytes() uint64 // sent and received
	Path() transport.Path
}

// noteInband tells the user, once, that much goes through the XMPP server, how fast that is, and what keeps it from being faster. git doesn't know beforehand how much there will be.
func noteInband(ctx context.Context, c carrier, out io.Writer) {
	ticker := time.NewTicker(inbandLook)
	defer ticker.Stop()
	begin, before, through := time.Now(), c.Bytes(), uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			bytes, path := c.Bytes(), c.Path()
			if path.Direct {
				begin, through = now, 0
			} else {
				through += bytes - before
			}
			before = bytes
			if through >= inbandBytes {
				const mega = 1e6
				fmt.Fprintf(out, "%.0f MB went through the xmpp server until now, %.1f MB/s; it would be faster without it, but: %s\n",
					float64(through)/mega, float64(through)/mega/now.Sub(begin).Seconds(), path.Why)
				return
			}
		}
	}
}
