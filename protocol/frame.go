// Package protocol is what two peers say to each other inside their encrypted
// connection: frames on a stream, the messages they carry and the codes of
// refusals. SPEC.md beside this file is its specification.
//
// The package is pure: it encodes and decodes on a given reader or writer, checks
// everything that it decodes, and knows no XMPP, QUIC, git or files.
package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// Major is the version of the protocol; peers of another major version can't
	// talk to each other.
	Major = 1
	// Minor counts additions that an older peer skips.
	Minor = 1

	// MaxDataBytes is the most bytes in a [Data] or [Stderr] frame.
	MaxDataBytes = 32 << 10
	// MaxControlBytes is the most bytes in the payload of any other frame.
	MaxControlBytes = 16 << 10
	// MaxSkippedBytes is the most bytes that unknown frames between two known
	// ones may have in all.
	MaxSkippedBytes = 256 << 10

	headerBytes = 4 // type (1), length (3, big-endian)
)

// Errors of decoding. All mean that the stream can't be read any further.
var (
	// ErrMalformed says that a known frame holds what it may not hold.
	ErrMalformed = errors.New("malformed frame")
	// ErrTooLarge says that a frame, or a run of unknown frames, is over its limit.
	ErrTooLarge = errors.New("frame too large")
)

// Type is the first byte of a frame.
type Type byte

// The types of frames. Others are skipped.
const (
	TypeHello         Type = 0x01
	TypeOpen          Type = 0x02
	TypeAccept        Type = 0x03
	TypeQueued        Type = 0x04
	TypeRefuse        Type = 0x05
	TypeDone          Type = 0x06
	TypeData          Type = 0x07
	TypeStderr        Type = 0x08
	TypeCanPush       Type = 0x10
	TypePushRequest   Type = 0x11
	TypeStartingPush  Type = 0x12
	TypeNothingNeeded Type = 0x13
	TypeAnnounce      Type = 0x14
	TypeAnnounced     Type = 0x15
	TypeShare         Type = 0x18
	TypeLFSGet        Type = 0x20
	TypeLFSPut        Type = 0x21
	TypeLFSReady      Type = 0x22
	TypeLFSStored     Type = 0x23
	TypeLFSWorking    Type = 0x24
)

// maxPayload is the most bytes in the payload of a frame of a type.
func (t Type) maxPayload() int {
	switch t {
	case TypeData, TypeStderr:
		return MaxDataBytes
	default:
		return MaxControlBytes
	}
}

// A Reader reads messages from a stream. It has one buffer of [MaxDataBytes].
type Reader struct {
	r       io.Reader
	buf     []byte
	skipped int
}

// NewReader returns a Reader on r. It reads no further than the messages asked for.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next message of a known type and skips others. At the end of the stream
// between two frames the error is [io.EOF], inside of one [io.ErrUnexpectedEOF]. The bytes of a
// [Data] or [Stderr] are valid until the next call.
func (r *Reader) Next() (Message, error) {
	for {
		var header [headerBytes]byte
		if _, err := io.ReadFull(r.r, header[:]); err != nil {
			return nil, err
		}
		t, n := Type(header[0]), int(binary.BigEndian.Uint32(header[:])&0xffffff)
		empty := newMessage(t)
		if empty == nil {
			if err := r.skip(n); err != nil {
				return nil, err
			}
			continue
		}
		r.skipped = 0
		payload, err := r.payload(t, n)
		if err != nil {
			return nil, err
		}
		m, err := decode(t, empty, payload)
		if err != nil {
			return nil, fmt.Errorf("%w of type %#02x: %w", ErrMalformed, byte(t), err)
		}
		return m, nil
	}
}

func (r *Reader) skip(n int) error {
	r.skipped += headerBytes + n
	if r.skipped > MaxSkippedBytes {
		return fmt.Errorf("%w: %d bytes of unknown frames", ErrTooLarge, r.skipped)
	}
	_, err := io.CopyN(io.Discard, r.r, int64(n))
	return atEOF(err)
}

func (r *Reader) payload(t Type, n int) ([]byte, error) {
	if n > t.maxPayload() {
		return nil, fmt.Errorf("%w: %d bytes of type %#02x", ErrTooLarge, n, byte(t))
	}
	if n > cap(r.buf) {
		r.buf = make([]byte, max(n, min(2*cap(r.buf), MaxDataBytes)))
	}
	payload := r.buf[:n]
	_, err := io.ReadFull(r.r, payload)
	return payload, atEOF(err)
}

// atEOF makes an end in the middle of a frame an unexpected one.
func atEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write writes a message as one frame, with one call of w.Write. A message that a
// reader would refuse is an error and nothing is written.
func Write(w io.Writer, m Message) error {
	frame, err := Append(nil, m)
	if err != nil {
		return err
	}
	_, err = w.Write(frame)
	return err
}

// Append adds a message as a frame to b.
func Append(b []byte, m Message) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("message of type %#02x: %w", byte(m.Type()), err)
	}
	payload, err := encode(m)
	if err != nil {
		return nil, err
	}
	if len(payload) > m.Type().maxPayload() {
		return nil, fmt.Errorf("%w: %d bytes of type %#02x", ErrTooLarge, len(payload), byte(m.Type()))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(m.Type())<<24|uint32(len(payload)))
	return append(b, payload...), nil
}
