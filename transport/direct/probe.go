package direct

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

const (
	// silentAfter, or silentTrips round trips if that is more, is how long a path may leave probes unanswered; no more than silentExtra beyond one, where trips are
	// long because we fill the network's buffers.
	silentAfter = 500 * time.Millisecond
	silentTrips = 3
	silentExtra = time.Second

	// lossProbes is how many probes the loss is taken from; with more than maxLoss of them lost a path isn't used.
	lossProbes = 32
	maxLoss    = 0.3

	probeHeader = 1 + 8
	probeMAC    = 16
	probeBytes  = probeHeader + probeMAC
)

// A tracker follows the probes of one size on a path.
type tracker struct {
	sent     [2 * lossProbes]sentProbe // by number
	next     uint64                    // number of the next probe; the first is 1
	answered uint64                    // the latest that was answered
	counted  uint64                    // from which on losses count
	trip     time.Duration             // smoothed round trip; 0 before the first
	shortest time.Duration
	patience time.Duration // how long an answer may take at least; 0: silentAfter
}

type sentProbe struct {
	at       time.Time
	answered bool
}

// send notes a probe and returns its number.
func (t *tracker) send(now time.Time) uint64 {
	t.next = max(t.next, 1)
	n := t.next
	t.next++
	t.sent[n%uint64(len(t.sent))] = sentProbe{at: now}
	return n
}

// answer notes that a probe was answered. It is false for one that is unknown, or too long ago.
func (t *tracker) answer(n uint64, now time.Time) bool {
	if n == 0 || n >= t.next || t.next-n > uint64(len(t.sent)) {
		return false
	}
	p := &t.sent[n%uint64(len(t.sent))]
	if p.answered {
		return false
	}
	if t.silent(now) { // what was lost until now was for that silence
		t.counted = n
	}
	p.answered = true
	t.answered = max(t.answered, n)
	trip := max(now.Sub(p.at), time.Microsecond)
	if t.trip == 0 {
		t.trip, t.shortest = trip, trip
	}
	t.shortest = min(t.shortest, trip)
	t.trip += (trip - t.trip) / 4
	return true
}

func (t *tracker) limit() time.Duration {
	return max(cmp.Or(t.patience, silentAfter), min(silentTrips*t.trip, t.trip+silentExtra))
}

// waiting is for how long the oldest probe after the latest answered one has been waiting; 0 if none is.
func (t *tracker) waiting(now time.Time) time.Duration {
	first := max(t.answered+1, t.next-min(t.next, uint64(len(t.sent))), 1)
	if first >= t.next {
		return 0
	}
	return now.Sub(t.sent[first%uint64(len(t.sent))].at)
}

func (t *tracker) silent(now time.Time) bool { return t.waiting(now) > t.limit() }

// loss is the part of the last probes that were not answered in time.
func (t *tracker) loss(now time.Time) float64 {
	probes, lost := 0, 0
	for n := max(1, t.counted, t.next-min(t.next, lossProbes)); n < t.next; n++ {
		p := t.sent[n%uint64(len(t.sent))]
		switch {
		case p.answered:
			probes++
		case now.Sub(p.at) > t.limit():
			probes++
			lost++
		}
	}
	if probes < lossProbes/2 {
		return 0
	}
	return float64(lost) / float64(probes)
}

// A sealer makes and checks probes and their answers: nobody but the two ends of a path can.
type sealer struct {
	key         []byte
	controlling bool
}

func newSealer(controlling bool, ourPwd, theirPwd string) sealer {
	if !controlling {
		ourPwd, theirPwd = theirPwd, ourPwd
	}
	key := sha256.Sum256([]byte("git-remote-xmpp probe\x00" + ourPwd + "\x00" + theirPwd))
	return sealer{key: key[:], controlling: controlling}
}

// seal fills a buffer of the message's size: type, number, MAC, further numbers, zeros.
func (s sealer) seal(buf []byte, t byte, n uint64, more []uint32) {
	clear(buf)
	buf[0] = t
	binary.BigEndian.PutUint64(buf[1:], n)
	for i, number := range more {
		binary.BigEndian.PutUint32(buf[probeBytes+4*i:], number)
	}
	copy(buf[probeHeader:], s.mac(buf, s.controlling))
}

// open returns the numbers of a message of the other end's.
func (s sealer) open(b []byte) (n uint64, more []uint32, ok bool) {
	if len(b) < probeBytes || !hmac.Equal(b[probeHeader:probeBytes], s.mac(b, !s.controlling)) {
		return 0, nil, false
	}
	rest := b[probeBytes:min(len(b), probeBytes+4*maxAsked)]
	if b[0] == frameProbe {
		rest = rest[:min(4, len(rest))]
	}
	for ; len(rest) >= 4; rest = rest[4:] {
		more = append(more, binary.BigEndian.Uint32(rest))
	}
	return binary.BigEndian.Uint64(b[1:]), more, true
}

// mac covers who sends it, and all but the MAC itself.
func (s sealer) mac(b []byte, controlling bool) []byte {
	who := byte(0)
	if controlling {
		who = 1
	}
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte{who})
	h.Write(b[:probeHeader])
	h.Write(b[probeBytes:])
	return h.Sum(nil)[:probeMAC]
}
