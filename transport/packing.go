package transport

import (
	"context"
	"time"
)

const (
	// packingDelay is how long a full packet waits for a second one in its message.
	packingDelay = 500 * time.Microsecond
	// pacedDelay is the same while full packets come one by one, no more than pacedWindow apart: QUIC spreads what it sends over the round trip.
	pacedDelay  = 4 * time.Millisecond
	pacedWindow = 10 * time.Millisecond
	// companyDelay is how long a full payload waits for another one, where the server is slow and another one is going to come.
	companyDelay = 20 * time.Millisecond
	// ackDelay is how long small packets wait for company while much comes in: without it every
	// acknowledgement is a message of its own, and costs the server as much as a full one.
	ackDelay = 2 * time.Millisecond
	// lateDelay is how long a stanza that is in no hurry waits for something to go with.
	lateDelay = 100 * time.Millisecond
)

// take fills record with the next stanzas: as many whole ones as fit in recordBytes, at least one, which may be of up to
// maxMessageBytes. It waits for one; the result is
// empty at the end: the outbox is closed and empty, the link is gone or ctx is done.
func (o *outbox) take(ctx context.Context, record []byte) []byte {
	for {
		filled, wait, more := o.tryTake(record[:0])
		if len(filled) > 0 || !more {
			return filled
		}
		var timer <-chan time.Time
		if wait > 0 {
			timer = time.After(wait)
		}
		select {
		case <-o.wake:
		case <-timer:
		case <-ctx.Done():
			return nil
		}
	}
}

// tryTake is take without waiting. With nothing to take, wait is how long until pending packets are due, 0 for
// not at all, and more tells whether anything can come.
func (o *outbox) tryTake(record []byte) (filled []byte, wait time.Duration, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.linked {
		return nil, 0, false
	}
	if len(o.queue) == 0 && len(o.pending) > 0 {
		if wait = o.dueLocked(time.Now()); wait > 0 && !o.closed {
			return nil, wait, true
		}
		o.flushLocked(nil)
	}
	if len(o.queue) == 0 && len(o.late) > 0 && !o.closed {
		if wait = lateDelay - time.Since(o.late[0].since); wait > 0 {
			return nil, wait, true
		}
	}
	if len(o.queue) == 1 && o.queue[0].lonely && !o.closed && !o.small {
		if wait = companyDelay - time.Since(o.queue[0].since); wait > 0 {
			return nil, wait, true
		}
	}
	o.queue, o.late = append(o.queue, o.late...), nil
	taken := 0
	for taken < len(o.queue) {
		item := o.queue[taken]
		n := len(item.stanza)
		if item.to != nil {
			n = item.to.envelopeBytes() + payloadBytes(len(item.payload))
		}
		if len(record) > 0 && len(record)+n > recordBytes {
			break
		}
		if item.to == nil {
			record = append(record, item.stanza...)
			o.releaseLocked(item)
			taken++
			continue
		}
		var payloads int
		record, payloads = o.appendMessageLocked(record, taken)
		taken += payloads
	}
	o.queue = append(o.queue[:0], o.queue[taken:]...)
	o.changed.Broadcast()
	return record, 0, !o.closed
}

// appendMessageLocked adds a message with the payload at a place of the queue and those behind it that are for the same peer,
// as far as they fit. It returns how many.
func (o *outbox) appendMessageLocked(record []byte, at int) (_ []byte, payloads int) {
	to := o.queue[at].to
	begin := len(record)
	record = to.appendOpen(record)
	most := maxPayloads
	if o.small {
		most = 1
	}
	for _, item := range o.queue[at:min(at+most, len(o.queue))] {
		size := len(record) - begin + payloadBytes(len(item.payload)) + len(messageClose)
		if item.to != to || payloads > 0 && (size > maxMessageBytes || begin+size > maxMessageBytes) {
			break
		}
		record = appendPayload(record, item.payload)
		if !item.repeated {
			to.last, to.lastSent, to.insisted = append(to.last[:0], item.payload...), time.Now(), 0
		}
		o.written += o.releaseLocked(item)
		payloads++
	}
	return append(record, messageClose...), payloads
}

// dueLocked is how long the pending payloads may still wait for company. Small packets on their own, other than acknowledgements
// of much that comes in, don't wait.
func (o *outbox) dueLocked(now time.Time) time.Duration {
	wait := maxSlowAckHold
	bulk := now.UnixNano() < o.bulkEnd.Load()
	for _, item := range o.pending {
		delay := time.Duration(0)
		switch {
		case item.paced:
			delay = pacedDelay
		case len(item.payload) >= minPacketBytes:
			delay = packingDelay
		case bulk:
			delay = ackDelay
		}
		if item.held {
			delay = max(delay, item.to.ackHold(now))
		}
		wait = min(wait, delay-now.Sub(item.since))
	}
	return wait
}
