package integration

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/protocol"
	"github.com/fxamacker/cbor/v2"
)

// What a peer may not say in any text, and what it may not in names.
var (
	unspeakable = []string{"\x00", "a\x00b", "\n", "a\nb", "a\r", "a\x1b[2J"}
	badNames    = []string{"..", "../other", "/etc/passwd", "-x", "--upload-pack=touch", `a\b`, "a/./b", "proj.git/../../other"}
)

// samples are one message of each type, all as they should be.
func (v *besieged) samples(client string) []protocol.Message {
	proj := v.bob.git(v.served, "config", "xmpp.uuid")
	oid, tip := sha256.Sum256([]byte("sample")), make([]byte, 20)
	key, resource := bytes.Repeat([]byte{7}, 32), "git-0011223344556677"
	return []protocol.Message{
		&protocol.Hello{
			Major: protocol.Major, Minor: protocol.Minor, Software: "script", Label: "Mallory", Resource: resource, Granted: proj,
			Vouches: []protocol.Vouch{{Key: key, Resource: resource, Label: "phone"}},
		},
		&protocol.Open{Service: protocol.UploadPack, Repository: "proj", Client: client, GitProtocol: 2},
		&protocol.Accept{Repository: proj, Name: "proj"},
		&protocol.Queued{Before: 1},
		&protocol.Refuse{Code: protocol.CodeRefused, Text: "no", Names: []string{"proj"}},
		&protocol.Done{},
		protocol.Data("abc"),
		protocol.Stderr("abc"),
		&protocol.CanPush{From: client, To: proj, Tips: [][]byte{tip}, Refs: []string{"refs/heads/main"}},
		&protocol.PushRequest{From: client, To: proj, Refs: []string{"refs/heads/main"}},
		&protocol.StartingPush{From: client, To: proj},
		&protocol.NothingNeeded{From: client, To: proj},
		&protocol.Announce{From: client, Repository: "proj"},
		&protocol.Announced{From: client, To: proj},
		&protocol.Share{Entries: []protocol.Shared{{Repository: proj, Key: key, Address: "eve@localhost", Resource: resource, Access: protocol.MayWrite, Label: "Eve"}}},
		&protocol.LFSGet{OID: oid[:], Size: 5},
		&protocol.LFSPut{OID: oid[:], Size: 5},
		&protocol.LFSReady{},
		&protocol.LFSStored{},
		&protocol.LFSWorking{},
	}
}

// eachType fails the test unless the samples are of all types that a reader knows: a new one gets its sample here.
func eachType(t *testing.T, samples []protocol.Message) {
	t.Helper()
	have := make(map[protocol.Type]bool)
	for _, m := range samples {
		have[m.Type()] = true
	}
	for n := range 256 {
		_, err := protocol.NewReader(bytes.NewReader([]byte{byte(n), 0, 0, 1, 0xa0})).Next()
		if known := !errors.Is(err, io.EOF); known != have[protocol.Type(n)] {
			t.Fatalf("type %#02x: known %v, with a sample %v", n, known, !known)
		}
	}
}

// rawFrame is a message as it is on the wire, whatever is in it.
func rawFrame(t *testing.T, kind protocol.Type, content any) []byte {
	t.Helper()
	var payload []byte
	switch m := content.(type) {
	case protocol.Data:
		payload = m
	case protocol.Stderr:
		payload = m
	default:
		var err error
		if payload, err = cbor.Marshal(m); err != nil {
			t.Fatal(err)
		}
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(kind)<<24|uint32(len(payload))), payload...)
}

// texts are all fields of a message that are text, in lists and parts of it too.
func texts(v reflect.Value) (found []reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		return texts(v.Elem())
	case reflect.String:
		return []reflect.Value{v}
	case reflect.Struct:
		for i := range v.NumField() {
			found = append(found, texts(v.Field(i))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, texts(v.Index(i))...)
		}
	}
	return found
}

// spoilt are frames of a message of which one text each is another. Those that nobody may say are no message.
func spoilt(t *testing.T, m protocol.Message) (frames [][]byte) {
	t.Helper()
	original := reflect.ValueOf(m)
	if original.Kind() != reflect.Pointer { // data
		return nil
	}
	raw, err := cbor.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for i := range texts(original) {
		for n, bad := range append(append([]string{}, unspeakable...), badNames...) {
			other := reflect.New(original.Type().Elem())
			if err := cbor.Unmarshal(raw, other.Interface()); err != nil {
				t.Fatal(err)
			}
			texts(other)[i].SetString(bad)
			frame := rawFrame(t, m.Type(), other.Interface())
			if _, err := protocol.NewReader(bytes.NewReader(frame)).Next(); n < len(unspeakable) && !errors.Is(err, protocol.ErrMalformed) {
				t.Errorf("%+v is read: %v", other.Interface(), err)
			}
			frames = append(frames, frame)
		}
	}
	return frames
}

// oddVersions are opens with a version of git's protocol that isn't one, and what could be taken for environment.
func oddVersions(t *testing.T, client string) (frames [][]byte) {
	t.Helper()
	for _, version := range []any{3, 1 << 40, -1, "2", "version=2", "version=2:x\nGIT_DIR=/", []int{2}, map[int]int{1: 2}, true, 2.0} {
		frames = append(frames, rawFrame(t, protocol.TypeOpen, map[int]any{1: "git-upload-pack", 2: "proj", 3: client, 4: version}))
	}
	return append(frames, rawFrame(t, protocol.TypeOpen, map[string]string{"1": "git-upload-pack", "GIT_PROTOCOL": "version=2"}))
}

// A peer that may read, or write to some refs, says whatever can be said, in any order: nothing changes, nothing stays open, others are served.
func TestHostileFrames(t *testing.T) {
	t.Parallel()
	v := newBesieged(t, func(*besieged) {})
	mallory := v.mallory("--read")
	clone, client := mallory.dir+"/clone", "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0009"
	samples := v.samples(client)
	eachType(t, samples)
	v.remember()
	t.Run("no hello", func(t *testing.T) { v.script(mallory, "git-fedcba9876543210").in(t).inPlaceOfHello(samples) })
	for _, access := range [][]string{{"read"}, {"write", "--refs", "refs/heads/mallory/*"}} {
		v.bob.xmpp(v.served, append([]string{"peers", "set", mallory.key(), "--access"}, append(access, ".")...)...)
		v.remember()
		s := v.script(mallory, "git-0123456789abcdef")
		t.Run(access[0]+"/texts", func(t *testing.T) {
			k := s.in(t).greeted()
			for _, m := range samples {
				for _, frame := range spoilt(t, m) {
					k.nonsense(frame)
				}
			}
			for _, frame := range oddVersions(t, client) {
				k.nonsense(frame)
			}
		})
		t.Run(access[0]+"/streams", func(t *testing.T) { s.in(t).outOfOrder(samples, client) })
		t.Run(access[0]+"/control", func(t *testing.T) { s.in(t).control(samples) })
		v.unharmed(access[0])
		s.endpoint.Close()
	}
	mallory.git(clone, "fetch", "--quiet") // it is a peer like others if it keeps to the rules
}

// in is the script, for a subtest.
func (s *script) in(t testing.TB) *script {
	other := *s
	other.TB = t
	return &other
}

// nonsense sends a frame as the first on a stream, which ends without anything done.
func (k *talk) nonsense(frame []byte) {
	k.Helper()
	stream, r := k.stream()
	if _, err := stream.Write(frame); err != nil {
		k.Fatalf("%q: %v", frame, err)
	}
	_ = stream.Close() // it may have been given up
	said, data, err := k.rest(r)
	for _, m := range said {
		if m.Type() != protocol.TypeRefuse {
			k.Errorf("%q is answered with %+v", frame, m)
		}
	}
	if len(data) > 0 || err == nil && len(said) == 0 {
		k.Errorf("%q is answered with %q, %v", frame, data, err)
	}
}

// outOfOrder sends each message twice as the first on a stream, and right after each service was asked for.
func (s *script) outOfOrder(samples []protocol.Message, client string) {
	s.Helper()
	k := s.greeted()
	var before [][]byte
	for _, service := range []protocol.Service{"", protocol.UploadPack, protocol.ReceivePack, protocol.UploadArchive, protocol.LFSDownload, protocol.LFSUpload} {
		var frame []byte
		if service != "" {
			var err error
			if frame, err = protocol.Append(nil, &protocol.Open{Service: service, Repository: "proj", Client: client}); err != nil {
				s.Fatal(err)
			}
		}
		before = append(before, frame)
	}
	for _, first := range before {
		for _, m := range samples {
			frames, err := protocol.Append(bytes.Clone(first), m)
			if err == nil {
				frames, err = protocol.Append(frames, m)
			}
			if err != nil {
				s.Fatal(err)
			}
			stream, r := k.stream()
			if _, err := stream.Write(frames); err != nil {
				s.Fatal(err)
			}
			_ = stream.Close() // it may have been given up
			if said, _, err := k.rest(r); err == nil && len(said) == 0 {
				s.Errorf("%T after %q: ended without a word", m, first)
			}
		}
	}
	k.fetches()
}

// inPlaceOfHello sends each message as the first of a connection of its own: what isn't a hello ends it.
func (s *script) inPlaceOfHello(samples []protocol.Message) {
	s.Helper()
	var closed sync.WaitGroup
	for _, m := range samples {
		k := s.dial()
		if err := protocol.Write(k.control, m); err != nil {
			s.Fatal(err)
		}
		closed.Go(func() {
			defer k.conn.Close(0)
			if m.Type() == protocol.TypeHello {
				return
			}
			select {
			case <-k.conn.Context().Done():
			case <-time.After(deadline):
				s.Errorf("%T in the place of a hello: the connection stays open", m)
			}
		})
	}
	closed.Wait()
}

// control sends each message twice after the hellos: the connection is as it was.
func (s *script) control(samples []protocol.Message) {
	s.Helper()
	for _, m := range samples {
		k := s.greeted()
		for range 2 {
			if err := protocol.Write(k.control, m); err != nil {
				s.Fatal(err)
			}
		}
		k.fetches()
		k.conn.Close(0)
	}
}

// fetches asks for the refs, as a fetch that wants nothing does.
func (k *talk) fetches() {
	k.Helper()
	stream, r := k.opened(&protocol.Open{Service: protocol.UploadPack, Repository: "proj"})
	if err := protocol.Write(stream, protocol.Data("0000")); err != nil {
		k.Fatal(err)
	}
	_ = stream.Close()
	said, data, err := k.rest(r)
	if len(said) != 1 || !reflect.DeepEqual(said[0], &protocol.Done{}) || err != nil || !bytes.Contains([]byte(data), []byte(" refs/heads/main\n")) {
		k.Errorf("a fetch: %q, %v, %v", data, said, err)
	}
}
