// Package chunk packs datagrams into message payloads and takes them out again.
//
// A payload is a sequence of datagrams, each preceded by its length as two
// bytes, big-endian. It is at most [MaxPayloadBytes] long, so that its base64
// form fits into a message stanza of 8,192 bytes with room for the envelope.
//
// The package is pure: it knows nothing of XMPP, QUIC or git, and does no I/O.
// The format is described in SPEC.md of package protocol, section "Payloads".
package chunk

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// MaxPayloadBytes is the most bytes that a payload may have before base64.
	MaxPayloadBytes = 4096
	// MaxDatagramBytes is the most bytes that one datagram may have.
	MaxDatagramBytes = MaxPayloadBytes - headerBytes
	// headerBytes is what a datagram costs in a payload beside itself.
	headerBytes = 2
)

// ErrMalformed says that a payload is not a sequence of datagrams: it is empty,
// too long, ends in the middle of a datagram or holds an empty one.
var ErrMalformed = errors.New("malformed payload")

// Fits tells whether a payload of have bytes can take one more datagram of n
// bytes without going over limit bytes. A limit over [MaxPayloadBytes] counts as that.
func Fits(have, n, limit int) bool {
	return n > 0 && have+headerBytes+n <= min(limit, MaxPayloadBytes)
}

// Append adds a datagram to a payload and returns the longer payload. The
// caller asked [Fits] first; a datagram that can never fit is a bug of the
// caller and panics.
func Append(payload, datagram []byte) []byte {
	if len(datagram) == 0 || len(datagram) > MaxDatagramBytes {
		panic(fmt.Sprintf("chunk: datagram of %d bytes", len(datagram)))
	}
	payload = binary.BigEndian.AppendUint16(payload, uint16(len(datagram)))
	return append(payload, datagram...)
}

// Prepend is [Append] that puts the datagram before the others.
func Prepend(payload, datagram []byte) []byte {
	n := len(payload)
	payload = Append(payload, datagram)
	size := len(payload) - n
	copy(payload[size:], payload[:n])
	binary.BigEndian.PutUint16(payload, uint16(len(datagram)))
	copy(payload[headerBytes:], datagram)
	return payload
}

// Split calls each with every datagram of a payload, in order. The slices
// point into payload. A payload that is malformed anywhere is refused as a
// whole, with [ErrMalformed], before each is called.
func Split(payload []byte, each func(datagram []byte)) error {
	if len(payload) == 0 || len(payload) > MaxPayloadBytes {
		return fmt.Errorf("%w: %d bytes", ErrMalformed, len(payload))
	}
	for rest := payload; len(rest) > 0; {
		n, ok := next(rest)
		if !ok {
			return fmt.Errorf("%w: datagram cut off at byte %d", ErrMalformed, len(payload)-len(rest))
		}
		rest = rest[n:]
	}
	for rest := payload; len(rest) > 0; {
		n, _ := next(rest)
		each(rest[headerBytes:n:n])
		rest = rest[n:]
	}
	return nil
}

// next returns the length of the first datagram of a payload with its header.
func next(payload []byte) (n int, ok bool) {
	if len(payload) < headerBytes {
		return 0, false
	}
	n = int(binary.BigEndian.Uint16(payload))
	return headerBytes + n, n > 0 && headerBytes+n <= len(payload)
}
