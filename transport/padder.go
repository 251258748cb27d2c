package transport

import (
	"strings"
	"time"
)

const (
	// bulkPause is how soon after a padded record the next one is padded too, to stay aligned.
	bulkPause = 10 * time.Millisecond
	// slowWrite is how long a write takes on a server that limits bytes; padding is left out for slowFor then.
	slowWrite = 20 * time.Millisecond
	slowFor   = 10 * time.Second
)

// A padder fills up records with spaces between stanzas, so that they tile the reads of
// the server, where bytes are free: not behind a server that limits them.
type padder struct {
	lastBulk  time.Time
	slowUntil time.Time
}

// pad returns record, filled up if that is worth it.
func (p *padder) pad(record []byte, now time.Time) []byte {
	size := recordBytes
	if len(record) > size {
		size = maxMessageBytes
	}
	full := len(record) >= size*3/4
	if len(record) >= size || now.Before(p.slowUntil) || !full && now.Sub(p.lastBulk) > bulkPause {
		return record
	}
	if full {
		p.lastBulk = now
	}
	return append(record, spaces[:size-len(record)]...)
}

// wrote tells how long the last write took.
func (p *padder) wrote(took time.Duration, now time.Time) {
	if took > slowWrite {
		p.slowUntil = now.Add(slowFor)
	}
}

var spaces = strings.Repeat(" ", maxMessageBytes)
