package xmppserver

import "time"

// defaultMaxStanzaBytes is the largest stanza that is accepted, and what
// XEP-0478 announces, unless Config says otherwise.
const defaultMaxStanzaBytes = 262_144

const (
	// maxNegotiationBytes bounds what a client may send before it has bound a
	// resource, TLS records not counted.
	maxNegotiationBytes = 64 << 10
	// maxPresenceBytes bounds a presence stanza: presences are kept, and sent
	// to everybody who comes online.
	maxPresenceBytes = 16 << 10
	// maxDepth bounds how deeply elements are nested in a stanza.
	maxDepth = 128
	// maxAttributes bounds the attributes of one element.
	maxAttributes = 64
	// maxPrefixes bounds the namespace prefixes in scope at one element.
	maxPrefixes = 64
	// maxLoginFailures ends a connection that keeps guessing.
	maxLoginFailures = 5

	// readBufferBytes is the buffer between a connection and its reader.
	readBufferBytes = 32 << 10
	// chunkBytes is how much is written to a connection at once.
	chunkBytes = 64 << 10
	// maxKeptStanzaBytes is the largest stanza buffer kept between stanzas.
	maxKeptStanzaBytes = 64 << 10
	// presenceReserveBytes is what presence may add to a queue that is full:
	// it is sent while the table of sessions is locked, so it can't wait.
	presenceReserveBytes = 5 << 20
)

// limits are those that tests shorten.
type limits struct {
	connections     int           // all connections
	unauthenticated int           // connections without a bound resource
	login           time.Duration // from accept to bound resource
	queueBytes      int           // outgoing bytes of one client
	stall           time.Duration // how long a queue may stay full, and one write may take
	goodbye         time.Duration // to write what is queued when a stream ends
	linger          time.Duration // to read what the client still sends after the end
}

func defaultLimits() limits {
	return limits{
		connections:     256,
		unauthenticated: 64,
		login:           30 * time.Second,
		queueBytes:      4 << 20,
		stall:           30 * time.Second,
		goodbye:         2 * time.Second,
		linger:          time.Second,
	}
}
