package protocol_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"git-remote-xmpp/protocol"
)

const (
	uuidA = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0001"
	uuidB = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0002"
)

// golden is one message of every type with the bytes that SPEC.md promises.
var golden = []struct {
	name    string
	message protocol.Message
	hex     string
}{
	{"hello", &protocol.Hello{Major: 1, Software: "x"}, "01000008 a3 0101 0200 036178"},
	{"hello with invite", &protocol.Hello{Major: 1, Label: "al", Resource: "g", Invite: bytes.Repeat([]byte{7}, 16)},
		"01000 01e a5 0101 0200 0462616c 056167 0650 07070707070707070707070707070707"},
	{"hello with vouches", &protocol.Hello{Major: 1, Vouches: []protocol.Vouch{{Key: oid, Resource: resource, Label: "d"}}, Shares: 1},
		"01000046 a4 0101 0200 0881 a3 015820" + hex.EncodeToString(oid) + "0274" + hex.EncodeToString([]byte(resource)) + "036164 0901"},
	{"share", &protocol.Share{Entries: []protocol.Shared{shared}},
		"1800006e a1 0181 a6 017824" + hex.EncodeToString([]byte(uuidA)) + "025820" + hex.EncodeToString(oid) + "0363614062" + "0474" + hex.EncodeToString([]byte(resource)) + "0502 066161"},
	{"share of an address", &protocol.Share{Entries: []protocol.Shared{{Key: oid, Address: "a@b", Resource: resource, Pinned: true}}},
		"18000044 a1 0181 a4 025820" + hex.EncodeToString(oid) + "0363614062" + "0474" + hex.EncodeToString([]byte(resource)) + "07f5"},
	{"open", &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: uuidA, GitProtocol: 2},
		"02000042 a4 0170 6769742d726563656976652d7061636b 026470726f6a 037824" + hex.EncodeToString([]byte(uuidA)) + "0402"},
	{"accept", &protocol.Accept{Repository: uuidB, Name: "proj", Direct: true},
		"03000030 a3 017824" + hex.EncodeToString([]byte(uuidB)) + "026470726f6a 03f5"},
	{"accept of a fetch", &protocol.Accept{Repository: uuidB, Name: "p", Size: 300},
		"0300002f a3 017824" + hex.EncodeToString([]byte(uuidB)) + "026170 0419012c"},
	{"queued", &protocol.Queued{Before: 2}, "04000003 a1 0102"},
	{"refuse", &protocol.Refuse{Code: protocol.CodeAmbiguous, Text: "which", Names: []string{"a", "b"}},
		"05000010 a3 0106 026577686963 68 03826161 6162"},
	{"done", &protocol.Done{Status: 1, Code: protocol.CodeTimeout}, "06000005 a2 0101 020c"},
	{"data", protocol.Data("abc"), "07000003 616263"},
	{"stderr", protocol.Stderr("oh"), "08000002 6f68"},
	{"can-push", &protocol.CanPush{From: uuidA, To: uuidB, Tips: [][]byte{bytes.Repeat([]byte{1}, 20)}},
		"10000066 a3 017824" + hex.EncodeToString([]byte(uuidA)) + "027824" + hex.EncodeToString([]byte(uuidB)) + "0381 54" + strings.Repeat("01", 20)},
	{"push-request", &protocol.PushRequest{From: uuidA, To: uuidB},
		"1100004f a2 017824" + hex.EncodeToString([]byte(uuidA)) + "027824" + hex.EncodeToString([]byte(uuidB))},
	{"starting-push", &protocol.StartingPush{From: uuidA, To: uuidB},
		"1200004f a2 017824" + hex.EncodeToString([]byte(uuidA)) + "027824" + hex.EncodeToString([]byte(uuidB))},
	{"nothing-needed", &protocol.NothingNeeded{From: uuidA, To: uuidB},
		"1300004f a2 017824" + hex.EncodeToString([]byte(uuidA)) + "027824" + hex.EncodeToString([]byte(uuidB))},
	{"open that merges", &protocol.Open{Service: protocol.ReceivePack, Client: uuidA, Merges: true},
		"0200003c a3 0170 6769742d726563656976652d7061636b 037824" + hex.EncodeToString([]byte(uuidA)) + "05f5"},
	{"can-push of a ref", &protocol.CanPush{From: uuidA, To: uuidB, Tips: [][]byte{bytes.Repeat([]byte{1}, 20)}, Refs: []string{"refs/x"}, More: true},
		"10000071 a5 017824" + hex.EncodeToString([]byte(uuidA)) + "027824" + hex.EncodeToString([]byte(uuidB)) + "0381 54" + strings.Repeat("01", 20) +
			"0481 66" + hex.EncodeToString([]byte("refs/x")) + "05f5"},
	{"push-request for a ref", &protocol.PushRequest{From: uuidA, To: uuidB, Refs: []string{"refs/x"}},
		"11000058 a3 017824" + hex.EncodeToString([]byte(uuidA)) + "027824" + hex.EncodeToString([]byte(uuidB)) + "0381 66" + hex.EncodeToString([]byte("refs/x"))},
	{"announce", &protocol.Announce{From: uuidA, Repository: "proj"},
		"1400002e a2 017824" + hex.EncodeToString([]byte(uuidA)) + "026470726f6a"},
	{"announced", &protocol.Announced{From: uuidA, To: uuidB},
		"1500004f a2 017824" + hex.EncodeToString([]byte(uuidA)) + "027824" + hex.EncodeToString([]byte(uuidB))},
	{"open for lfs", &protocol.Open{Service: protocol.LFSUpload, Client: uuidA}, "02000034 a2 016a6c66732d75706c6f6164 037824" + hex.EncodeToString([]byte(uuidA))},
	{"lfs-get", &protocol.LFSGet{OID: oid, Size: 5, Offset: 2}, "20000028 a3 015820" + hex.EncodeToString(oid) + "0205 0302"},
	{"lfs-put", &protocol.LFSPut{OID: oid, Size: 1 << 50}, "2100002e a2 015820" + hex.EncodeToString(oid) + "021b0004000000000000"},
	{"lfs-ready", &protocol.LFSReady{Offset: 2}, "22000003 a1 0102"},
	{"lfs-ready for all", &protocol.LFSReady{}, "22000001 a0"},
	{"lfs-stored", &protocol.LFSStored{}, "23000001 a0"},
	{"lfs-working", &protocol.LFSWorking{}, "24000001 a0"},
}

var oid = bytes.Repeat([]byte{0xab}, protocol.OIDBytes)

const resource = "git-0011223344556677"

// shared is what all is right with; its key is as long as an oid.
var shared = protocol.Shared{Repository: uuidA, Key: oid, Address: "a@b", Resource: resource, Access: protocol.MayWrite, Label: "a"}

// vouches are n, each of another key.
func vouches(n int) (list []protocol.Vouch) {
	for i := range n {
		list = append(list, protocol.Vouch{Key: append(bytes.Repeat([]byte{1}, 31), byte(i)), Resource: resource})
	}
	return list
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenBytes(t *testing.T) {
	for _, g := range golden {
		want := unhex(t, g.hex)
		got, err := protocol.Append(nil, g.message)
		if err != nil {
			t.Fatalf("%s: %v", g.name, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: encodes to\n%x, want\n%x", g.name, got, want)
		}
		m, err := protocol.NewReader(iotest.OneByteReader(bytes.NewReader(want))).Next()
		if err != nil || !reflect.DeepEqual(m, g.message) {
			t.Errorf("%s: decodes to %+v, %v", g.name, m, err)
		}
	}
}

func TestUnknownFramesAndFieldsAreSkipped(t *testing.T) {
	stream := unhex(t, "7f000003 010203"+ // unknown frame
		"04000005 a2 0102 1863f6"+ // queued with field 99
		"04000003 a1 0103")
	stream[10]++ // the field makes the frame one byte longer
	r := protocol.NewReader(bytes.NewReader(stream))
	for _, want := range []uint32{2, 3} {
		m, err := r.Next()
		if q, ok := m.(*protocol.Queued); err != nil || !ok || q.Before != want {
			t.Fatalf("got %+v, %v, want queued %d", m, err, want)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}
}

func TestUnknownFramesAreBounded(t *testing.T) {
	one := append([]byte{0x7f, 0, 0xff, 0xff}, make([]byte, 0xffff)...)
	_, err := protocol.NewReader(bytes.NewReader(bytes.Repeat(one, 10))).Next()
	if !errors.Is(err, protocol.ErrTooLarge) {
		t.Fatal(err)
	}
}

// A peer of another major version may use the other fields for anything.
func TestOtherMajorVersionIsKnownAsSuch(t *testing.T) {
	m, err := protocol.NewReader(bytes.NewReader(unhex(t, "01000006 a2 0102 03810 1"))).Next()
	hello, ok := m.(*protocol.Hello)
	if err != nil || !ok || hello.Major != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
}

func TestRefusedFrames(t *testing.T) {
	for name, c := range map[string]struct {
		hex  string
		want error
	}{
		"cut off header":         {"0400", io.ErrUnexpectedEOF},
		"cut off payload":        {"04000003 a101", io.ErrUnexpectedEOF},
		"no payload at all":      {"04000003", io.ErrUnexpectedEOF},
		"control frame too long": {"04004001", protocol.ErrTooLarge},
		"data frame too long":    {"07008001", protocol.ErrTooLarge},
		"not a map":              {"04000001 80", protocol.ErrMalformed},
		"trailing bytes":         {"04000004 a1010200", protocol.ErrMalformed},
		"same key twice":         {"04000005 a201020103", protocol.ErrMalformed},
		"indefinite length":      {"04000004 bf0102ff", protocol.ErrMalformed},
		"wrong kind of field":    {"04000003 a10161", protocol.ErrMalformed},
		"unknown service":        {"02000006 a1 0163 666f6f", protocol.ErrMalformed},
		"refusal without code":   {"05000001 a0", protocol.ErrMalformed},
		"exit status 256":        {"06000005 a1 01190100", protocol.ErrMalformed},
		"lfs-get without oid":    {"20000001 a0", protocol.ErrMalformed},
		"lfs-get of short oid":   {"20000004 a1 0141ab", protocol.ErrMalformed},
		"lfs-get past the end":   {"20000028 a3 015820" + hex.EncodeToString(oid) + "0205 0306", protocol.ErrMalformed},
		"lfs-get from before":    {"20000028 a3 015820" + hex.EncodeToString(oid) + "0205 0320", protocol.ErrMalformed},
		"lfs-put of too much":    {"2100002e a2 015820" + hex.EncodeToString(oid) + "021b0004000000000001", protocol.ErrMalformed},
		"lfs-put of 2^64-1":      {"2100002e a2 015820" + hex.EncodeToString(oid) + "021bffffffffffffffff", protocol.ErrMalformed},
		"lfs-put of -1":          {"21000026 a2 015820" + hex.EncodeToString(oid) + "0220", protocol.ErrMalformed},
		"vouch without key":      {"0100000b a3 0101 0200 0881 a1 026161", protocol.ErrMalformed},
		"share without key":      {"1800002b a1 0181 a1 017824" + hex.EncodeToString([]byte(uuidA)), protocol.ErrMalformed},
		"lfs-ready far out":      {"2200000b a1 011b0004000000000001", protocol.ErrMalformed},
	} {
		_, err := protocol.NewReader(bytes.NewReader(unhex(t, c.hex))).Next()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestRefusedMessages(t *testing.T) {
	open := func(change func(*protocol.Open)) protocol.Message {
		m := &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: uuidA}
		change(m)
		return m
	}
	vouch := func(change func(*protocol.Vouch)) protocol.Message {
		list := vouches(2)
		change(&list[1])
		return &protocol.Hello{Major: 1, Vouches: list}
	}
	share := func(change func(*protocol.Shared)) protocol.Message {
		entry := shared
		change(&entry)
		return &protocol.Share{Entries: []protocol.Shared{entry}}
	}
	for name, m := range map[string]protocol.Message{
		"17 vouches":         &protocol.Hello{Major: 1, Vouches: vouches(17)},
		"vouched twice":      vouch(func(v *protocol.Vouch) { v.Key[31] = 0 }),
		"vouched short key":  vouch(func(v *protocol.Vouch) { v.Key = v.Key[1:] }),
		"vouched resource":   vouch(func(v *protocol.Vouch) { v.Resource = "git-run-001122334455" }),
		"vouched upper case": vouch(func(v *protocol.Vouch) { v.Resource = "git-00112233445566AA" }),
		"vouched nowhere":    vouch(func(v *protocol.Vouch) { v.Resource = "" }),
		"vouched label":      vouch(func(v *protocol.Vouch) { v.Label = "a\u202eb" }),
		"five shares":        &protocol.Hello{Major: 1, Shares: 5},
		"65 shared":          &protocol.Share{Entries: slices.Repeat([]protocol.Shared{shared}, 65)},
		"shared name":        share(func(e *protocol.Shared) { e.Repository = "proj" }),
		"shared key":         share(func(e *protocol.Shared) { e.Key = append([]byte{0}, oid...) }),
		"shared full JID":    share(func(e *protocol.Shared) { e.Address = "a@b/c" }),
		"shared domain":      share(func(e *protocol.Shared) { e.Address = "b" }),
		"shared far":         share(func(e *protocol.Shared) { e.Address = "a@" + strings.Repeat("b", 255) }),
		"shared resource":    share(func(e *protocol.Shared) { e.Resource = "x" }),
		"shared none":        share(func(e *protocol.Shared) { e.Access = 0 }),
		"shared for none":    share(func(e *protocol.Shared) { e.Repository = "" }),
		"shared nothing":     share(func(e *protocol.Shared) { e.Repository, e.Access = "", 0 }),
		"shared pin":         share(func(e *protocol.Shared) { e.Resource, e.Pinned = "", true }),
		"shared too much":    share(func(e *protocol.Shared) { e.Access = 3 }),
		"shared label":       share(func(e *protocol.Shared) { e.Label = strings.Repeat("a", 65) }),
		"service":            open(func(m *protocol.Open) { m.Service = "git-shell" }),
		"way up":             open(func(m *protocol.Open) { m.Repository = "a/../b" }),
		"absolute":           open(func(m *protocol.Open) { m.Repository = "/etc" }),
		"option":             open(func(m *protocol.Open) { m.Repository = "-x" }),
		"backslash":          open(func(m *protocol.Open) { m.Repository = `a\b` }),
		"newline":            open(func(m *protocol.Open) { m.Repository = "a\nb" }),
		"nul":                open(func(m *protocol.Open) { m.Repository = "a\x00b" }),
		"not utf-8":          open(func(m *protocol.Open) { m.Repository = "a\xff" }),
		"too long":           open(func(m *protocol.Open) { m.Repository = strings.Repeat("a", 1025) }),
		"push, no uuid":      open(func(m *protocol.Open) { m.Client = "" }),
		"uuid":               open(func(m *protocol.Open) { m.Client = strings.ToUpper(uuidA) }),
		"git protocol":       open(func(m *protocol.Open) { m.GitProtocol = 3 }),
		"invite length":      &protocol.Hello{Major: 1, Invite: []byte{1}},
		"label":              &protocol.Hello{Major: 1, Label: "a\x1b[31m"},
		"granted":            &protocol.Hello{Major: 1, Granted: "proj"},
		"text":               &protocol.Refuse{Code: protocol.CodeRefused, Text: "a\nb"},
		"too many names":     &protocol.Refuse{Code: protocol.CodeAmbiguous, Names: make([]string, 65)},
		"tip":                &protocol.CanPush{From: uuidA, To: uuidB, Tips: [][]byte{{1}}},
		"ref without tip":    &protocol.CanPush{From: uuidA, To: uuidB, Refs: []string{"refs/heads/a"}},
		"tip without ref":    &protocol.CanPush{From: uuidA, To: uuidB, Tips: [][]byte{oid[:20], oid[:20]}, Refs: []string{"refs/heads/a"}},
		"ref elsewhere":      &protocol.PushRequest{From: uuidA, To: uuidB, Refs: []string{"../refs/heads/a"}},
		"ref with a line":    &protocol.PushRequest{From: uuidA, To: uuidB, Refs: []string{"refs/heads/a\nb"}},
		"ref not utf-8":      &protocol.PushRequest{From: uuidA, To: uuidB, Refs: []string{"refs/heads/\xff"}},
		"ref too long":       &protocol.PushRequest{From: uuidA, To: uuidB, Refs: []string{"refs/heads/" + strings.Repeat("a", 1024)}},
		"too many refs":      &protocol.PushRequest{From: uuidA, To: uuidB, Refs: slices.Repeat([]string{"refs/a"}, 257)},
		"announce, a path":   &protocol.Announce{From: uuidA, Repository: "/a"},
		"announce, uuid":     &protocol.Announce{From: "a"},
		"pair":               &protocol.PushRequest{From: uuidA},
		"data over limit":    protocol.Data(make([]byte, protocol.MaxDataBytes+1)),
		"accept, no uuid":    &protocol.Accept{Name: "proj"},
		"accept, too large":  &protocol.Accept{Repository: uuidB, Size: 1<<50 + 1},
		"no exit status":     &protocol.Done{Status: 256},
		"upload, no uuid":    &protocol.Open{Service: protocol.LFSUpload, Repository: "proj"},
		"oid":                &protocol.LFSPut{OID: oid[1:]},
		"oid too long":       &protocol.LFSPut{OID: append([]byte{0}, oid...)},
		"offset":             &protocol.LFSGet{OID: oid, Offset: 1},
		"resource control":   &protocol.Hello{Major: 1, Resource: "a\u0000"},
	} {
		if b, err := protocol.Append(nil, m); err == nil {
			t.Errorf("%s: accepted as %x", name, b)
		}
	}
}

func TestRefuseIsAnError(t *testing.T) {
	var err error = &protocol.Refuse{Code: protocol.CodeAmbiguous, Names: []string{"a", "b"}}
	if !errors.Is(err, protocol.CodeAmbiguous) || errors.Is(err, protocol.CodeBusy) {
		t.Error("a refusal isn't its code")
	}
	if got, want := err.Error(), "several repositories, name one: a, b"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := protocol.Code(99).String(); got != "refused (code 99)" {
		t.Error(got)
	}
}

// Whatever is read without an error can be written and is read again as the same.
func FuzzReader(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.hex))
	}
	f.Add([]byte("\x7f\x00\x00\x01a\x04\x00\x00\x03\xa1\x01\x02"))
	f.Add([]byte{1, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := protocol.NewReader(bytes.NewReader(stream))
		for {
			m, err := r.Next()
			if err != nil {
				return
			}
			if hello, ok := m.(*protocol.Hello); ok && hello.Major != protocol.Major {
				continue
			}
			b, err := protocol.Append(nil, m)
			if err != nil {
				t.Fatalf("%+v was read and can't be written: %v", m, err)
			}
			again, err := protocol.NewReader(bytes.NewReader(b)).Next()
			if err != nil {
				t.Fatalf("%+v was written and can't be read: %v", m, err)
			}
			c, err := protocol.Append(nil, again)
			if err != nil || !bytes.Equal(b, c) {
				t.Fatalf("%x, again %x, %v", b, c, err)
			}
		}
	})
}
