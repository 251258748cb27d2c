package lfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/protocol"
)

var (
	content  = bytes.Repeat([]byte("large file "), 10_000)
	id       = OID(sha256.Sum256(content))
	size     = uint64(len(content))
	discard  = slog.New(slog.DiscardHandler)
	somebody = "a1"
)

// A script is what one side says, and a record of what it was told.
type script struct {
	says []protocol.Message
	told []protocol.Message
}

func (s *script) Next() (protocol.Message, error) {
	if len(s.says) == 0 {
		return nil, io.EOF
	}
	m := s.says[0]
	s.says = s.says[1:]
	return m, nil
}

// Write keeps messages; data is joined to what came before.
func (s *script) Write(m protocol.Message) error {
	data, ok := m.(protocol.Data)
	if !ok {
		s.told = append(s.told, m)
		return nil
	}
	if n := len(s.told); n > 0 {
		if before, ok := s.told[n-1].(protocol.Data); ok {
			s.told[n-1] = append(before, data...)
			return nil
		}
	}
	s.told = append(s.told, protocol.Data(bytes.Clone(data)))
	return nil
}

// serve has a server answer what a client says.
func serve(t *testing.T, store Store, service protocol.Service, says ...protocol.Message) (told []protocol.Message, err error) {
	t.Helper()
	s := &script{says: says}
	server := &Server{Messages: s, Store: store, Owner: somebody, Service: service, Log: discard}
	err = server.Serve(t.Context())
	return s.told, err
}

// data is a part of an object in frames.
func data(b []byte) (frames []protocol.Message) {
	for len(b) > 0 {
		n := min(len(b), protocol.MaxDataBytes)
		frames = append(frames, protocol.Data(b[:n]))
		b = b[n:]
	}
	return frames
}

// all joins messages and frames of data.
func all(parts ...any) (messages []protocol.Message) {
	for _, p := range parts {
		switch p := p.(type) {
		case protocol.Message:
			messages = append(messages, p)
		case []protocol.Message:
			messages = append(messages, p...)
		}
	}
	return messages
}

func put() *protocol.LFSPut               { return &protocol.LFSPut{OID: id[:], Size: size} }
func get(o uint64) *protocol.LFSGet       { return &protocol.LFSGet{OID: id[:], Size: size, Offset: o} }
func ready(o int) *protocol.LFSReady      { return &protocol.LFSReady{Offset: uint64(o)} }
func no(c protocol.Code) *protocol.Refuse { return &protocol.Refuse{Code: c} }

var stored = &protocol.LFSStored{}

// have puts an object into a store, partly if it is cut off.
func (s Store) have(t *testing.T, owner string, b []byte) {
	t.Helper()
	path := s.object(id)
	if owner != "" {
		path = filepath.Join(s.partialsDir(), owner, id.String()+partSuffix)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// holds expects files of these contents in a store, by their paths.
func (s Store) holds(t *testing.T, want map[string][]byte) {
	t.Helper()
	got := map[string][]byte{}
	_ = filepath.WalkDir(s.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(s.Dir, path)
			got[filepath.ToSlash(rel)], _ = os.ReadFile(path)
		}
		return nil
	})
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
	for path, b := range want {
		if !bytes.Equal(got[path], b) {
			t.Errorf("%s holds %d bytes, want %d", path, len(got[path]), len(b))
		}
	}
}

func objectPath() string {
	name := id.String()
	return "objects/" + name[:2] + "/" + name[2:4] + "/" + name
}
func partPath(owner string) string { return "incomplete/xmpp/" + owner + "/" + id.String() + ".part" }

func TestGet(t *testing.T) {
	store := Store{t.TempDir()}
	store.have(t, "", content)
	other := bytes.Repeat([]byte{1}, protocol.OIDBytes)
	told, err := serve(t, store, protocol.LFSDownload,
		get(0), get(100), get(size), &protocol.LFSGet{OID: other, Size: size}, &protocol.LFSGet{OID: id[:], Size: size - 1}, &protocol.LFSGet{OID: id[:]})
	want := all(ready(0), protocol.Data(content), ready(100), protocol.Data(content[100:]), ready(len(content)),
		no(protocol.CodeNoObject), no(protocol.CodeNoObject), no(protocol.CodeNoObject))
	if err != nil || !reflect.DeepEqual(told, want) {
		t.Errorf("told %d messages, %v", len(told), err)
	}
}

func TestPut(t *testing.T) {
	wrong := bytes.Clone(content)
	wrong[0]++
	whole := map[string][]byte{objectPath(): content}
	for name, c := range map[string]struct {
		there []byte // of the object, from before
		says  []protocol.Message
		told  []protocol.Message
		err   error
		holds map[string][]byte
	}{
		"all":              {nil, all(put(), data(content)), all(ready(0), stored), nil, whole},
		"twice":            {nil, all(put(), data(content), put()), all(ready(0), stored, stored), nil, whole},
		"the rest":         {content[:500], all(put(), data(content[500:])), all(ready(500), stored), nil, whole},
		"nothing missing":  {content, all(put()), all(ready(len(content)), stored), nil, whole},
		"empty frames":     {nil, all(put(), protocol.Data(nil), data(content)), all(ready(0), stored), nil, whole},
		"too much there":   {append(bytes.Clone(content), 'x'), all(put(), data(content)), all(ready(0), stored), nil, whole},
		"wrong":            {nil, all(put(), data(wrong)), all(ready(0), no(protocol.CodeCorrupt)), nil, nil},
		"wrong, and again": {nil, all(put(), data(wrong), put(), data(content)), all(ready(0), no(protocol.CodeCorrupt), ready(0), stored), nil, whole},
		"spoilt":           {wrong[:500], all(put(), data(content[500:]), data(content)), all(ready(500), ready(0), stored), nil, whole},
		"spoilt and wrong": {wrong[:500], all(put(), data(content[500:]), data(wrong)), all(ready(500), ready(0), no(protocol.CodeCorrupt)), nil, nil},
		"cut off":          {nil, all(put(), protocol.Data(content[:500])), all(ready(0)), protocol.CodeCancelled, map[string][]byte{partPath(somebody): content[:500]}},
		"cut off at once":  {nil, all(put()), all(ready(0)), protocol.CodeCancelled, nil},
		"a byte too much":  {nil, all(put(), data(content[:len(content)-1]), protocol.Data("xy")), all(ready(0)), protocol.CodeProtocol, map[string][]byte{partPath(somebody): content[:len(content)-1]}},
		"data after it":    {nil, all(put(), data(content), protocol.Data("x")), all(ready(0), stored), protocol.CodeProtocol, whole},
		"put in put":       {nil, all(put(), put()), all(ready(0)), protocol.CodeProtocol, nil},
		"get":              {nil, all(get(0)), nil, protocol.CodeProtocol, nil},
		"data first":       {nil, all(protocol.Data("x")), nil, protocol.CodeProtocol, nil},
		"open":             {nil, all(&protocol.Open{Service: protocol.LFSUpload}), nil, protocol.CodeProtocol, nil},
	} {
		store := Store{t.TempDir()}
		if c.there != nil {
			store.have(t, somebody, c.there)
		}
		told, err := serve(t, store, protocol.LFSUpload, c.says...)
		if !errors.Is(err, c.err) || !reflect.DeepEqual(told, c.told) {
			t.Errorf("%s: told %v, %v", name, told, err)
		}
		store.holds(t, c.holds)
	}
}

// Who may only read can't write, whatever it says.
func TestPutOnDownload(t *testing.T) {
	store := Store{t.TempDir()}
	if told, err := serve(t, store, protocol.LFSDownload, all(put(), data(content))...); !errors.Is(err, protocol.CodeProtocol) || len(told) > 0 {
		t.Errorf("told %v, %v", told, err)
	}
	store.holds(t, nil)
}

// What another peer has sent of an object is no business of ours.
func TestPutBesideAnotherOwner(t *testing.T) {
	store := Store{t.TempDir()}
	store.have(t, "b2", content[:500])
	told, err := serve(t, store, protocol.LFSUpload, all(put(), data(content))...)
	if err != nil || !reflect.DeepEqual(told, all(ready(0), stored)) {
		t.Errorf("told %v, %v", told, err)
	}
	store.holds(t, map[string][]byte{objectPath(): content, partPath("b2"): content[:500]})
}

// While the same object comes in twice the second transfer waits for the first, and says so.
func TestPutInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := Store{t.TempDir()}
		first, err := store.partial(somebody, id)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(2*signOfLife + time.Second)
			if err := first.write(content[:500]); err != nil {
				t.Error(err)
			}
			first.close()
		}()
		told, err := serve(t, store, protocol.LFSUpload, all(put(), data(content[500:]))...)
		working := &protocol.LFSWorking{}
		if err != nil || !reflect.DeepEqual(told, all(working, working, ready(500), stored)) {
			t.Errorf("told %v, %v", told, err)
		}
		store.holds(t, map[string][]byte{objectPath(): content})
	})
}

// A transfer that waits ends with its stream.
func TestPutInUseCancelled(t *testing.T) {
	store := Store{t.TempDir()}
	first, err := store.partial(somebody, id)
	if err != nil {
		t.Fatal(err)
	}
	defer first.close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(protocol.CodeTimeout)
	server := &Server{Messages: &script{says: all(put())}, Store: store, Owner: somebody, Service: protocol.LFSUpload, Log: discard}
	if err := server.Serve(ctx); !errors.Is(err, protocol.CodeTimeout) {
		t.Error(err)
	}
}

func TestSweep(t *testing.T) {
	store := Store{t.TempDir()}
	store.have(t, "old", content)
	store.have(t, "new", content)
	held, err := store.partial("held", id)
	if err != nil {
		t.Fatal(err)
	}
	if err := held.write(content); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	long := now.Add(-maxPartialAge - time.Hour)
	for _, owner := range []string{"old", "held"} {
		if err := os.Chtimes(filepath.Join(store.Dir, partPath(owner)), long, long); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxPartials + 5 {
		path := filepath.Join(store.partialsDir(), "many", OID{byte(i)}.String()+partSuffix)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		when := now.Add(time.Duration(i-1000) * time.Second)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	store.sweep(now)
	held.close()
	want := map[string][]byte{partPath("new"): content, partPath("held"): content}
	for i := 5; i < maxPartials+5; i++ {
		want["incomplete/xmpp/many/"+OID{byte(i)}.String()+partSuffix] = nil
	}
	store.holds(t, want)
}

func TestParseOID(t *testing.T) {
	if got, err := ParseOID(id.String()); err != nil || got != id {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "ab", id.String() + "00", id.String()[:63], "../../" + id.String()[6:], "A" + id.String()[1:], "g" + id.String()[1:]} {
		if _, err := ParseOID(s); err == nil {
			t.Errorf("%q is taken for an id", s)
		}
	}
}
