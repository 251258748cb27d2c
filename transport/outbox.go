package transport

import (
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
