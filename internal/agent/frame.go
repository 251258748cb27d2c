package agent

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"git-remote-xmpp/protocol"
	"mellium.im/xmpp/jid"
)

// A frame is a type (1 byte), the length of the payload (3, big-endian) and the payload.
const headerBytes = 4

type frameType byte

// The types of frames. The client sends a request. The agent answers declined; or taken, and then opened, failed or declined. After opened there are data
// and one end in each direction; a failed in the place of the agent's end; a credit for each data of the client's; stopped when
// the peer takes no more; and path, when packets begin to go another way. cancel gives up both directions, and so does closing the socket.
// Instead of a request the client may send status or sync. The answer is data and an end, or declined; closing the socket gives it up.
const (
	typeRequest  frameType = 1 // JSON: request
	typeDeclined frameType = 2 // text
	typeTaken    frameType = 3
	typeOpened   frameType = 4 // text: full JID of the peer
	typeFailed   frameType = 5 // JSON: failure
	typeData     frameType = 6
	typeEnd      frameType = 7
	typeCredit   frameType = 8
	typeStopped  frameType = 9  // JSON: failure
	typeCancel   frameType = 10 // code, 4 bytes
	typeStatus   frameType = 11
	typeSync     frameType = 12 // what is asked for, which we don't read
	typePath     frameType = 13 // JSON: transport.Path
)

// errMalformed says that the other side doesn't keep to the above.
var errMalformed = errors.New("malformed frame")

// maxPayload is the most bytes in a frame of a type; -1 if there is no such type.
func (t frameType) maxPayload() int {
	switch t {
	case typeData:
		return maxDataBytes
	case typeRequest, typeDeclined, typeOpened, typeFailed, typeStopped, typeSync, typePath:
		return maxControlBytes
	case typeTaken, typeEnd, typeCredit, typeStatus:
		return 0
	case typeCancel:
		return 4
	default:
		return -1
	}
}

// appendFrame adds a frame to b. What is too long is cut, and not understood on the other side.
func appendFrame(b []byte, t frameType, payload []byte) []byte {
	payload = payload[:min(len(payload), t.maxPayload())]
	b = binary.BigEndian.AppendUint32(b, uint32(t)<<24|uint32(len(payload)))
	return append(b, payload...)
}

// readFrame reads a frame. The payload is valid until the next call with the same buffer, which has maxDataBytes.
func readFrame(r io.Reader, buf []byte) (frameType, []byte, error) {
	var header [headerBytes]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	t, n := frameType(header[0]), int(binary.BigEndian.Uint32(header[:])&0xffffff)
	if n > t.maxPayload() {
		return 0, nil, fmt.Errorf("%w: %d bytes of type %d", errMalformed, n, t)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return 0, nil, fmt.Errorf("in a frame: %w", err)
	}
	return t, buf[:n], nil
}

// A Request asks for a stream.
type Request struct {
	// Login is what client and agent must have in common: who they are, and how they are logged in.
	Login string
	To    jid.JID           // bare
	Key   ed25519.PublicKey // of the peer there
	// Timeout is how long the client may not read what there is for it, or not hang up.
	Timeout time.Duration
}

// request is a Request in a frame.
type request struct {
	Version int    `json:"version"`
	Login   string `json:"login"`
	To      string `json:"to"`
	Key     []byte `json:"key"`
	Timeout int64  `json:"timeout"` // milliseconds
}

// maxTimeout is the longest timeout of a request.
const maxTimeout = 24 * time.Hour

func (r Request) encode() []byte {
	return mustJSON(request{Version: version, Login: r.Login, To: r.To.String(), Key: r.Key, Timeout: r.Timeout.Milliseconds()})
}

// decodeRequest reads a request; nothing but the version counts in one of another version.
func decodeRequest(payload []byte) (Request, error) {
	var r request
	if err := json.Unmarshal(payload, &r); err != nil {
		return Request{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if r.Version != version {
		return Request{}, fmt.Errorf("version %d of the program's own protocol, not %d", r.Version, version)
	}
	to, err := jid.Parse(r.To)
	if err != nil || to.Localpart() == "" || to.Resourcepart() != "" {
		return Request{}, fmt.Errorf("%w: no address", errMalformed)
	}
	if len(r.Key) != ed25519.PublicKeySize {
		return Request{}, fmt.Errorf("%w: key", errMalformed)
	}
	if r.Timeout < 1 || r.Timeout > maxTimeout.Milliseconds() {
		return Request{}, fmt.Errorf("%w: timeout", errMalformed)
	}
	return Request{r.Login, to, r.Key, time.Duration(r.Timeout) * time.Millisecond}, nil
}

func encodeCode(code protocol.Code) []byte { return binary.BigEndian.AppendUint32(nil, uint32(code)) }

func decodeCode(payload []byte) (protocol.Code, error) {
	if len(payload) != 4 {
		return 0, errMalformed
	}
	return protocol.Code(binary.BigEndian.Uint32(payload)), nil
}

// mustJSON encodes what can be encoded: structs of strings, numbers and bytes.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// decodeJSON reads one JSON value without unknown fields.
func decodeJSON(payload []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	return nil
}
