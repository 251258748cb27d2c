package transport

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"git-remote-xmpp/chunk"
)

const (
	// maxQueuedBytes is how much waits for the writer before senders of packets do.
	maxQueuedBytes = 64 << 10
	// maxQueuedStanzas is how many stanzas other than packets may wait.
	maxQueuedStanzas = 256
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
	// repeatAfter is how long the last payload to a peer is left to QUIC when one side has been away, and insistAfter when a peer says nothing, mostInsisting times.
	repeatAfter   = time.Second
	insistAfter   = 3 * time.Second
	mostInsisting = 3
	// bulkPackets within bulkWindow are much; it is taken to go on for as long again.
	bulkPackets = 16
	bulkWindow  = 10 * time.Millisecond
)

var (
	errQueueFull = errors.New("too many stanzas wait for the server")
	errTooLarge  = errors.New("stanza too large to send") // servers close the stream of whoever sends that much
)

// An outbox is what waits to be written to the server, in order: the stanzas of a session and
// the packets of connections. It outlives links: while there is none, stanzas are refused and the
// latest packets are kept, since they are what tells the peer after a reconnect what is missing.
type outbox struct {
	mu       sync.Mutex
	changed  *sync.Cond // space was made, or a link came or went
	wake     chan struct{}
	linked   bool
	closed   bool
	small    bool         // one payload in a message
	bulkEnd  atomic.Int64 // until when much comes in, Unix nanoseconds
	queue    []outgoing
	late     []outgoing // stanzas that go behind the queue
	bytes    int        // of packets in queue and pending
	written  int        // bytes of packets that went into messages, all links together
	stanzas  int
	pending  map[*peer]outgoing // payloads that are not full yet
	payloads sync.Pool          // of *[]byte with chunk.MaxPayloadBytes of capacity
}

// outgoing is a stanza, or a payload on its way to be one.
type outgoing struct {
	stanza   []byte
	to       *peer
	payload  []byte
	since    time.Time
	paced    bool // ends with a full packet that came after another one
	held     bool // of acknowledgements that wait
	lonely   bool // goes with another payload if one comes soon
	repeated bool
}

// add adds a packet that fits. Of acknowledgements that wait the latest is first: it says all that the others do, so to QUIC there is one. All else keeps its order.
func (i *outgoing) add(datagram []byte, now time.Time) {
	mayWait := len(datagram) <= maxAckBytes && i.to.ackHold(now) > 0
	if i.held = mayWait && (i.held || len(i.payload) == 0); i.held {
		i.payload = chunk.Prepend(i.payload, datagram)
	} else {
		i.payload = chunk.Append(i.payload, datagram)
	}
	i.paced = i.to.paced(len(datagram), now)
}

func newOutbox() *outbox {
	o := &outbox{wake: make(chan struct{}, 1), pending: make(map[*peer]outgoing)}
	o.changed = sync.NewCond(&o.mu)
	o.payloads.New = func() any { return new([chunk.MaxPayloadBytes]byte) }
	return o
}

// link says that a link is there or gone. What is left of the old link's stanzas is dropped.
func (o *outbox) link(up bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.linked = up
	kept := o.queue[:0]
	for _, item := range o.queue {
		if item.stanza == nil {
			kept = append(kept, item)
		}
	}
	o.queue, o.late, o.stanzas = kept, nil, 0
	o.changed.Broadcast()
	o.signal()
}

// onlySmall has messages carry one payload from now on: there are servers that count more than the stanza against their limit. It is false if they did already.
func (o *outbox) onlySmall() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	news := !o.small
	o.small = true
	return news
}

// close refuses everything from now on and lets the writer finish what is there.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.changed.Broadcast()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// send queues a stanza of at most maxMessageBytes; it never blocks.
func (o *outbox) send(stanza []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.countLocked(stanza); err != nil {
		return err
	}
	o.flushLocked(nil)
	o.queue = append(o.queue, outgoing{stanza: stanza})
	o.signal()
	return nil
}

// sendLate is send for a stanza that nobody waits for: it goes behind what is written next. A small message that comes before another one can
// cost that a round trip, where the server leaves Nagle's algorithm on as Prosody does.
func (o *outbox) sendLate(stanza []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.countLocked(stanza); err != nil {
		return err
	}
	o.late = append(o.late, outgoing{stanza: stanza, since: time.Now()})
	o.signal()
	return nil
}

func (o *outbox) countLocked(stanza []byte) error {
	switch {
	case len(stanza) > maxMessageBytes:
		return errTooLarge
	case o.closed || !o.linked:
		return net.ErrClosed
	case o.stanzas >= maxQueuedStanzas:
		return errQueueFull
	}
	o.stanzas++
	return nil
}

// packet queues a datagram for a peer. While the queue is full it blocks, as
// long as there is a link; without one the oldest packets make room.
func (o *outbox) packet(to *peer, datagram []byte) error {
	if len(datagram) == 0 || len(datagram) > chunk.MaxDatagramBytes {
		return nil // can't be sent: as good as lost
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.bytes >= maxQueuedBytes && o.linked && !o.closed {
		o.changed.Wait()
	}
	if o.closed {
		return net.ErrClosed
	}
	if !o.linked {
		o.dropOldestLocked()
	}
	limit, now := to.payloadLimit(), time.Now()
	item, begun := o.pending[to]
	if begun && !chunk.Fits(len(item.payload), len(datagram), limit) {
		o.flushLocked(to)
		begun = false
	}
	if !begun {
		buf := o.payloads.Get().(*[chunk.MaxPayloadBytes]byte)
		item = outgoing{to: to, payload: buf[:0], since: now}
	}
	item.add(datagram, now)
	item.lonely = item.paced && to.pace.company()
	o.pending[to] = item
	o.bytes += len(datagram)
	if !chunk.Fits(len(item.payload), minPacketBytes/2, limit) {
		o.flushLocked(to)
	}
	o.signal()
	return nil
}

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
	if to.insisted < mostInsisting && o.repeatLocked(to, insistAfter) {
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

// flushLocked moves the pending payload of a peer, or with nil those of all, to the queue.
func (o *outbox) flushLocked(to *peer) {
	for p, item := range o.pending {
		if to == nil || p == to {
			o.queue = append(o.queue, item)
			delete(o.pending, p)
		}
	}
}

// dropOldestLocked makes room by dropping the oldest queued payloads.
func (o *outbox) dropOldestLocked() {
	if o.bytes < maxQueuedBytes {
		return
	}
	o.flushLocked(nil)
	for len(o.queue) > 0 && o.bytes >= maxQueuedBytes/2 {
		o.releaseLocked(o.queue[0])
		o.queue = o.queue[1:]
	}
}

// releaseLocked takes something off the queue's account. It returns how many bytes of packets that was.
func (o *outbox) releaseLocked(item outgoing) (bytes int) {
	if item.stanza != nil {
		o.stanzas--
		return 0
	}
	_ = chunk.Split(item.payload, func(d []byte) { bytes += len(d) }) // made by chunk.Append: well-formed
	o.bytes -= bytes
	o.payloads.Put((*[chunk.MaxPayloadBytes]byte)(item.payload[:chunk.MaxPayloadBytes]))
	return bytes
}

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

// bulk notes that much comes in.
func (o *outbox) bulk(now time.Time) { o.bulkEnd.Store(now.Add(bulkWindow).UnixNano()) }

// packetBytes is how many bytes of packets have gone into messages.
func (o *outbox) packetBytes() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written
}

func (o *outbox) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}

func (o *outbox) isLinked() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.linked
}
