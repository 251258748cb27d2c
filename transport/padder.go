package transport

import (
	"strings"
	"time"
)

const (
	// bulkPause is how soon after a padded record the next one is padded too, to stay aligned.
	bulkPause = 500 * time.Millisecond
	// padRate is from how many bytes of full records per second on padding is worth its bytes. What limits bytes lets through far less, and no write need tell: the
	// systems on both sides take much into their buffers.
	padRate = 256 << 10
	// padWindow is how long the rate is taken over. After padGap without full records it isn't known any more.
	padWindow = time.Second
	padGap    = 5 * time.Second
)

// A padder fills up records with spaces between stanzas, so that they tile the reads of
// the server, where bytes are free: not behind a server that limits them.
type padder struct {
	lastBulk time.Time
	lastFull time.Time
	since    time.Time // when the window began
	bytes    int       // of full records in it
	slow     bool      // by the last two
	wasSlow  bool      // by the last one
}

// pad returns record, filled up if that is worth it.
func (p *padder) pad(record []byte, now time.Time) []byte {
	size := recordBytes
	if len(record) > size {
		size = maxMessageBytes
	}
	full := len(record) >= size*3/4
	if full {
		p.count(len(record), now)
	}
	if len(record) >= size || p.slow || !full && now.Sub(p.lastBulk) > bulkPause {
		return record
	}
	if full {
		p.lastBulk = now
	}
	return append(record, spaces[:size-len(record)]...)
}

// count notes a full record.
func (p *padder) count(n int, now time.Time) {
	if now.Sub(p.lastFull) > padGap {
		p.since, p.bytes, p.slow, p.wasSlow = now, 0, false, false
	}
	p.lastFull = now
	if took := now.Sub(p.since); took >= padWindow {
		slow := float64(p.bytes) < padRate*took.Seconds() // or there was nothing to send
		p.slow, p.wasSlow = slow && p.wasSlow, slow
		p.since, p.bytes = now, 0
	}
	p.bytes += n
}

var spaces = strings.Repeat(" ", maxMessageBytes)
