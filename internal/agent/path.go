package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"git-remote-xmpp/transport"
)

// tellPath tells the client how packets go when they don't go any more as it was told.
func (r *relay) tellPath(ctx context.Context, stream Stream, told transport.Path) {
	ticker := time.NewTicker(pathEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if now := stream.Path(); !sameWay(now, told) {
			if r.send(typePath, encodePath(now)) != nil {
				return // it is gone
			}
			told = now
		}
	}
}

// sameWay compares all but what changes all the time.
func sameWay(a, b transport.Path) bool {
	a.Trip, a.Loss = b.Trip, b.Loss
	return a == b
}

func encodePath(p transport.Path) []byte {
	p.Address, p.Why = clip(p.Address), clip(p.Why)
	return mustJSON(p)
}

func decodePath(payload []byte) (p transport.Path, err error) {
	if err := json.Unmarshal(payload, &p); err != nil {
		return p, fmt.Errorf("%w: %w", errMalformed, err)
	}
	p.Address, p.Why = clean(p.Address), clean(p.Why)
	return p, nil
}
