package transport

import (
	"time"

	"git-remote-xmpp/chunk"
)

const (
	// repeatAfter is how long the last payload to a peer is left to QUIC when one side has been away, and insistAfter when a peer says nothing, twice as long the next time,
	// mostInsisting times: the server may be slow.
	repeatAfter   = time.Second
	insistAfter   = 3 * time.Second
	mostInsisting = 3
)

// repeat sends the last payload to a peer once more, when one side has been away. QUIC on this side may have backed off far, with all that it may send lost on the
// way; by the acknowledgement of the latest packet it knows what was. What did arrive is dropped there.
func (o *outbox) repeat(to *peer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.repeatLocked(to, repeatAfter) {
		to.last = to.last[:0] // once, until there is a later one
	}
}

// insist is repeat for a peer that owes an answer and is silent: QUIC waits twice as long each time, and where much is lost for minutes.
func (o *outbox) insist(to *peer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if to.insisted < mostInsisting && o.repeatLocked(to, insistAfter<<to.insisted) {
		to.insisted++
		to.lastSent = time.Now()
	}
}

// repeatLocked sends the last payload to a peer once more, if it was sent so long ago.
func (o *outbox) repeatLocked(to *peer, after time.Duration) bool {
	if len(to.last) == 0 || time.Since(to.lastSent) < after || !o.linked || o.closed || o.bytes >= maxQueuedBytes {
		return false
	}
	buf := o.payloads.Get().(*[chunk.MaxPayloadBytes]byte)
	item := outgoing{to: to, payload: append(buf[:0], to.last...), repeated: true}
	_ = chunk.Split(item.payload, func(d []byte) { o.bytes += len(d) }) // made by chunk.Append: well-formed
	o.queue = append(o.queue, item)
	o.signal()
	return true
}

// forget gives up what repeat is for: there is nobody any more who would miss it, and peers are remembered for longer.
func (o *outbox) forget(to *peer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	to.last = nil
}

// insist repeats what was sent last through servers to a peer that has been silent since.
func (c *Conn) insist() {
	if since := time.Since(c.peer.lastHeard()); since < insistAfter || c.peer.routes.up() {
		return
	}
	if c.peer.pace.owed(c.look()) {
		c.endpoint.session.out.insist(c.peer)
	}
}
