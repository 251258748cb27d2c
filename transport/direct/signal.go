package direct

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

const (
	// maxSignalBytes is the most that the payload of one message has.
	maxSignalBytes = 512
	signalHeader   = 3 // type and length

	minUfragBytes, maxUfragBytes = 4, 64
	minPwdBytes, maxPwdBytes     = 22, 128 // 128 bits at least (RFC 8839, 5.4)
)

// A signalType is the type of a message; the rest of the numbers are for later, and skipped.
type signalType byte

const (
	signalStart     signalType = 1
	signalCandidate signalType = 2
	signalAgain     signalType = 3
	signalStream    signalType = 4
	signalJoin      signalType = 5
	signalNone      signalType = 6

	lastSignal = signalNone
)

// begins tells whether a message has the receiver begin something that costs more than reading it.
func (t signalType) begins() bool { return t == signalStart || t == signalStream || t == signalNone }

// A kind is where a candidate comes from.
type kind byte

const (
	kindHost kind = iota
	kindServerReflexive
	kindRelay
)

// A signal is a message between the two ends of a link. Which fields count depends on the type.
type signal struct {
	kind       signalType
	generation uint32
	ufrag      string // of a start
	pwd        string // of a start, stream or join
	candidate  candidate
	name       StreamName // of a stream, as the rest
	host       string
	port       uint16
}

// A candidate is an address under which one end may be reached (RFC 8445, 5.3).
type candidate struct {
	kind     kind
	priority uint32
	addr     netip.AddrPort
}

var errSignal = errors.New("malformed message about the direct path")

// appendSignal adds a message as it goes over the wire.
func appendSignal(b []byte, s signal) []byte {
	b = append(b, byte(s.kind), 0, 0)
	begin := len(b)
	b = binary.BigEndian.AppendUint32(b, s.generation)
	switch s.kind {
	case signalStart:
		b = appendText(appendText(b, s.ufrag), s.pwd)
	case signalCandidate:
		b = append(b, byte(s.candidate.kind))
		b = binary.BigEndian.AppendUint32(b, s.candidate.priority)
		b = binary.BigEndian.AppendUint16(b, s.candidate.addr.Port())
		b = append(b, s.candidate.addr.Addr().AsSlice()...)
	case signalStream:
		b = append(appendText(b, s.pwd), s.name[:]...)
		b = append(binary.BigEndian.AppendUint16(b, s.port), s.host...)
	case signalJoin:
		b = appendText(b, s.pwd)
	}
	binary.BigEndian.PutUint16(b[begin-2:], uint16(len(b)-begin))
	return b
}

// appendText adds a text of at most 255 bytes behind its length.
func appendText(b []byte, text string) []byte { return append(append(b, byte(len(text))), text...) }

// readSignal reads the next message of a type that we know. The buffer has maxSignalBytes.
func readSignal(r io.Reader, buf []byte) (signal, error) {
	for skipped := 0; ; {
		var header [signalHeader]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return signal{}, err
		}
		n := int(binary.BigEndian.Uint16(header[1:]))
		if n > maxSignalBytes {
			return signal{}, fmt.Errorf("%w: %d bytes", errSignal, n)
		}
		if _, err := io.ReadFull(r, buf[:n]); err != nil {
			return signal{}, err
		}
		if t := signalType(header[0]); t >= signalStart && t <= lastSignal {
			return parseSignal(t, buf[:n])
		}
		if skipped++; skipped > maxSkipped {
			return signal{}, fmt.Errorf("%w: %d unknown ones in a row", errSignal, skipped)
		}
	}
}

// maxSkipped is how many messages of unknown types are skipped in a row.
const maxSkipped = 64

func parseSignal(t signalType, b []byte) (signal, error) {
	s := signal{kind: t}
	if len(b) < 4 {
		return s, errSignal
	}
	s.generation, b = binary.BigEndian.Uint32(b), b[4:]
	var ok bool
	switch t {
	case signalStart:
		if s.ufrag, b, ok = cutToken(b, minUfragBytes, maxUfragBytes); !ok {
			return s, errSignal
		}
		s.pwd, b, ok = cutToken(b, minPwdBytes, maxPwdBytes)
	case signalCandidate:
		s.candidate, ok = parseCandidate(b)
		b = nil
	case signalStream:
		if s.pwd, b, ok = cutToken(b, minPwdBytes, maxPwdBytes); !ok {
			return s, errSignal
		}
		ok, b = s.parsePlace(b), nil
	case signalJoin:
		s.pwd, b, ok = cutToken(b, minPwdBytes, maxPwdBytes)
	default:
		ok = true
	}
	if !ok || len(b) > 0 {
		return s, errSignal
	}
	return s, nil
}

// parsePlace takes where a stream is to be had.
func (s *signal) parsePlace(b []byte) bool {
	const fixed = len(s.name) + 2
	if len(b) < fixed {
		return false
	}
	copy(s.name[:], b)
	s.port, s.host = binary.BigEndian.Uint16(b[len(s.name):]), string(b[fixed:])
	return s.port != 0 && validHost(s.host)
}

// cutToken takes a name or password, whose characters are those of ICE (RFC 8839, 5.4), off the begin of b.
func cutToken(b []byte, minBytes, maxBytes int) (token string, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return "", nil, false
	}
	text, rest := b[1:1+b[0]], b[1+b[0]:]
	if len(text) < minBytes || len(text) > maxBytes {
		return "", nil, false
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '+' && c != '/' {
			return "", nil, false
		}
	}
	return string(text), rest, true
}

func parseCandidate(b []byte) (candidate, bool) {
	const fixed = 1 + 4 + 2
	if len(b) < fixed {
		return candidate{}, false
	}
	addr, ok := netip.AddrFromSlice(b[fixed:])
	port := binary.BigEndian.Uint16(b[5:])
	c := candidate{kind: kind(b[0]), priority: binary.BigEndian.Uint32(b[1:]), addr: netip.AddrPortFrom(addr, port)}
	return c, ok && c.kind <= kindRelay && port != 0 && !addr.Is4In6()
}

// reachable tells whether packets may be sent to a candidate of the peer's.
func (c candidate) reachable(loopback bool) bool { return reachable(c.addr.Addr(), loopback) }

// reachable tells whether packets may be sent to an address. One of this machine is reachable only where both ends may be on it.
func reachable(a netip.Addr, loopback bool) bool {
	switch {
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), a.IsInterfaceLocalMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return false
	case a.IsLoopback():
		return loopback
	}
	return true
}
