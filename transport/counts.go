package transport

import "sync/atomic"

// traffic counts the bytes of packets.
type traffic struct{ inBandSent, inBandReceived, directSent, directReceived atomic.Uint64 }

// Counts are how an endpoint does. Bytes are those of packets, in messages or past them, since it was started.
type Counts struct {
	Linked         bool   // logged in, as far as is known
	Reconnects     uint64 // logins after the first
	InBandSent     uint64
	InBandReceived uint64
	DirectSent     uint64
	DirectReceived uint64
}

// Counts asks nobody and waits for nothing.
func (e *Endpoint) Counts() Counts {
	t := &e.packets.traffic
	return Counts{
		Linked: e.session.out.isLinked(), Reconnects: e.session.reconnects.Load(),
		InBandSent: t.inBandSent.Load(), InBandReceived: t.inBandReceived.Load(), DirectSent: t.directSent.Load(), DirectReceived: t.directReceived.Load(),
	}
}
