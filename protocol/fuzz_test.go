package protocol_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"git-remote-xmpp/protocol"
)

// Whatever the content of a frame is, of each type: what is let through keeps to the limits, and is read from what is written as the same message.
func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		if frame := unhex(f, g.hex); len(frame) >= frameHeadBytes {
			f.Add(frame[0], frame[frameHeadBytes:])
		}
	}
	f.Add(byte(protocol.TypeHello), []byte("\xa2\x01\x02\x02\x00"))
	f.Add(byte(protocol.TypeRefuse), []byte("\xa3\x01\x02\x02\x61\x1b\x03\x80"))
	f.Fuzz(func(t *testing.T, kind byte, payload []byte) {
		if len(payload) > protocol.MaxDataBytes {
			return
		}
		frame := append([]byte{kind, byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload))}, payload...)
		m, err := protocol.NewReader(bytes.NewReader(frame)).Next()
		if err != nil {
			return
		}
		if hello, ok := m.(*protocol.Hello); ok && hello.Major != protocol.Major {
			if !reflect.DeepEqual(hello, &protocol.Hello{Major: hello.Major}) {
				t.Fatalf("of another version more is read than that: %+v", hello)
			}
			return
		}
		if m.Type() != protocol.TypeData && m.Type() != protocol.TypeStderr {
			keepsLimits(t, reflect.ValueOf(m).Elem())
		}
		b, err := protocol.Append(nil, m)
		if err != nil {
			t.Fatalf("%+v can't be written: %v", m, err)
		}
		again, err := protocol.NewReader(bytes.NewReader(b)).Next()
		if c, appendErr := protocol.Append(nil, again); err != nil || appendErr != nil || !bytes.Equal(b, c) {
			t.Fatalf("%+v, again %+v, %v", m, again, err)
		}
	})
}

// frameHeadBytes is the type of a frame and its length.
const frameHeadBytes = 4

// keepsLimits checks of every text in a message that it is one and not too long, and of every list that it has not too many entries.
func keepsLimits(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || len(s) > max(protocol.MaxRepositoryBytes, protocol.MaxTextChars*utf8.UTFMax) {
			t.Fatalf("a text of %d bytes: %.100q", len(s), s)
		}
	case reflect.Slice:
		if v.Len() > protocol.MaxTips {
			t.Fatalf("%d entries", v.Len())
		}
		for i := range v.Len() {
			keepsLimits(t, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			keepsLimits(t, v.Field(i))
		}
	default: // numbers
	}
}

// A message that may be written is read as it was, whoever filled it in.
func FuzzAppend(f *testing.F) {
	const id = "11111111-1111-4111-8111-111111111111"
	f.Add(id, id, "refs/heads/main", []byte("12345678901234567890"), uint32(1), uint64(9))
	f.Add("proj", id, "git-upload-pack", []byte{}, uint32(2), uint64(1)<<50)
	f.Add("git-0123456789abcdef", "bob@example.org", "Bob", make([]byte, 32), uint32(1), uint64(0))
	f.Fuzz(func(t *testing.T, a, b, c string, raw []byte, n uint32, size uint64) {
		for _, m := range []protocol.Message{
			&protocol.Hello{Major: protocol.Major, Minor: n, Software: a, Label: b, Resource: c, Invite: raw, Granted: b, Vouches: []protocol.Vouch{{Key: raw, Resource: a, Label: c}}},
			&protocol.Open{Service: protocol.Service(c), Repository: a, Client: b, GitProtocol: n}, &protocol.Accept{Repository: b, Name: a, Size: size}, &protocol.Queued{Before: n},
			&protocol.Refuse{Code: protocol.Code(n), Text: a, Names: []string{b, c}}, &protocol.Done{Status: n, Code: protocol.Code(size)},
			&protocol.CanPush{From: a, To: b, Tips: [][]byte{raw}, Refs: []string{c}}, &protocol.PushRequest{From: a, To: b, Refs: []string{c}},
			&protocol.StartingPush{From: a, To: b}, &protocol.NothingNeeded{From: a, To: b}, &protocol.Announce{From: b, Repository: a}, &protocol.Announced{From: a, To: b},
			&protocol.Share{Entries: []protocol.Shared{{Repository: c, Key: raw, Address: b, Resource: a, Access: protocol.SharedRight(n), Label: c, Pinned: size%2 == 1}}},
			&protocol.LFSGet{OID: raw, Size: size, Offset: uint64(n)}, &protocol.LFSPut{OID: raw, Size: size}, &protocol.LFSReady{Offset: size},
		} {
			frame, err := protocol.Append(nil, m)
			if err != nil {
				continue
			}
			keepsLimits(t, reflect.ValueOf(m).Elem())
			again, err := protocol.NewReader(bytes.NewReader(frame)).Next()
			if err != nil {
				t.Fatalf("%+v is written and not read: %v", m, err)
			}
			if twice, err := protocol.Append(nil, again); err != nil || !bytes.Equal(frame, twice) {
				t.Fatalf("%+v is read as %+v, %v", m, again, err)
			}
		}
	})
}
