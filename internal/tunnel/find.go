package tunnel

import (
	"context"
	"time"

	"git-remote-xmpp/protocol"
)

// Find asks peers for a service, one after the other, until one accepts. dial opens a stream to the first; told why a peer didn't accept, to
// the next, or it returns why there is none.
func Find(ctx context.Context, dial func(ctx context.Context, failure error) (Stream, error), timeout time.Duration,
	open *protocol.Open, queued func(before uint32),
) (*Tunnel, *protocol.Accept, error) {
	var failure error
	for {
		stream, err := dial(ctx, failure)
		if err != nil {
			return nil, nil, err
		}
		t := New(ctx, stream, timeout)
		accept, err := t.Open(open, queued)
		if err == nil {
			return t, accept, nil
		}
		failure = t.Explain(err)
		t.Stop()
	}
}
