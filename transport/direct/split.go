package direct

import "encoding/binary"

const (
	partHeader = 1 + 2 // type, number
	// maxJoining is how many packets may wait for their second half.
	maxJoining = 64
)

// A joiner puts packets together that came in two halves.
type joiner struct {
	waiting [maxJoining]half
}

// half is the part of a packet that came first.
type half struct {
	number uint16
	part   byte // its type; 0: none waits
	data   []byte
}

// appendPart adds a half of a packet with its header.
func appendPart(b []byte, t byte, number uint16, data []byte) []byte {
	b = append(b, t)
	b = binary.BigEndian.AppendUint16(b, number)
	return append(b, data...)
}

// join takes a half, and returns the packet if it was the second one. The result is valid until the next call.
func (j *joiner) join(b []byte) (packet []byte, ok bool) {
	if len(b) <= partHeader || len(b) > maxDatagramBytes {
		return nil, false
	}
	number := binary.BigEndian.Uint16(b[1:])
	first := &j.waiting[number%maxJoining]
	data := b[partHeader:]
	if first.part == 0 || first.number != number || first.part == b[0] {
		first.number, first.part = number, b[0]
		first.data = append(first.data[:0], data...)
		return nil, false
	}
	first.part = 0
	if len(first.data)+len(data) > maxDatagramBytes {
		return nil, false
	}
	if b[0] == framePartTwo {
		first.data = append(first.data, data...)
	} else {
		n := len(first.data)
		first.data = append(first.data, data...)
		copy(first.data[len(data):], first.data[:n])
		copy(first.data, data)
	}
	return first.data, true
}
