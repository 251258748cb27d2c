package lfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/protocol"
)

// What is taken for the id of an object is one, and its files are in the store's folder.
func FuzzOID(f *testing.F) {
	for _, text := range []string{id.String(), strings.ToUpper(id.String()), id.String()[:63], "../" + id.String()[3:], strings.Repeat("g", 64), ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseOID(text)
		if err != nil {
			return
		}
		if name, err := filepath.Rel("/store", Store{"/store"}.object(id)); id.String() != text || err != nil || !filepath.IsLocal(name) {
			t.Fatalf("%q is %s, in %s", text, id, name)
		}
	})
}

var errNoWay = errors.New("no way")

// Whatever git-lfs says, the agent comes to an end, and what it answers is JSON on lines; who has never been asked for a remote is asked for nothing else.
func FuzzAgent(f *testing.F) {
	for _, text := range []string{
		`{"event":"init","operation":"upload","remote":"origin"}`, `{"event":"init","operation":"download","remote":""}` + "\n" + `{"event":"terminate"}`, `{"event":"init","operation":"x"}`,
		`{"event":"upload","oid":"` + id.String() + `","size":-1,"path":"/etc/passwd"}`, "{}\n{}", "[", `{"event":"terminate"}`, `{"event":"download","size":1e400}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		agent := &Agent{
			In: strings.NewReader(text), Out: &out,
			Begin: func(_ context.Context, service protocol.Service, _ string) (*Client, error) {
				if !service.OfLFS() {
					t.Errorf("begins %q", service)
				}
				return nil, errNoWay
			},
			Tell: func(err error) (int, string) { return 1, err.Error() },
		}
		err := agent.Run(t.Context())
		if err != nil && !errors.Is(err, ErrUsage) && !errors.Is(err, errNoWay) {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			var a answer
			if err := json.Unmarshal([]byte(line), &a); err != nil || a.Error == nil && a.Event == "" {
				t.Fatalf("%q: %v", line, err)
			}
		}
	})
}

// Whatever a peer uploads, nothing is in the store but whole objects under their names, and parts in the folder of who sent them.
func FuzzServer(f *testing.F) {
	frame := func(messages ...protocol.Message) (b []byte) {
		for _, m := range messages {
			var err error
			if b, err = protocol.Append(b, m); err != nil {
				f.Fatal(err)
			}
		}
		return b
	}
	small := []byte("object")
	oid := sha256.Sum256(small)
	ask := &protocol.LFSPut{OID: oid[:], Size: uint64(len(small))}
	f.Add(frame(ask, protocol.Data(small), ask), true)
	f.Add(frame(ask, protocol.Data("object?")), true)
	f.Add(frame(ask, protocol.Data("obj")), true)
	f.Add(frame(ask, protocol.Data("tcejbo"), ask, protocol.Data(small)), true)
	f.Add(frame(&protocol.LFSGet{OID: oid[:], Size: 6, Offset: 6}), false)
	f.Add(frame(&protocol.LFSStored{}, &protocol.Hello{Major: 1}), false)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, wire []byte, upload bool) {
		store := Store{filepath.Join(dir, "lfs")}
		if err := os.RemoveAll(store.Dir); err != nil {
			t.Fatal(err)
		}
		service := protocol.LFSDownload
		if upload {
			service = protocol.LFSUpload
		}
		server := &Server{Messages: &wireMessages{Reader: protocol.NewReader(bytes.NewReader(wire))}, Store: store, Owner: somebody, Service: service, Log: discard}
		_ = server.Serve(t.Context()) // whatever it ends with
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			name := filepath.ToSlash(strings.TrimPrefix(path, store.Dir+string(filepath.Separator)))
			whole := strings.HasPrefix(name, "objects/")
			if part := strings.HasPrefix(name, "incomplete/xmpp/"+somebody+"/"); !upload || !whole && !part {
				t.Errorf("%s is there", name)
			}
			if text, err := os.ReadFile(path); whole && (err != nil || OID(sha256.Sum256(text)).String() != e.Name()) {
				t.Errorf("%s holds %q", name, text)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// wireMessages are messages as they come in; what is said is dropped.
type wireMessages struct{ *protocol.Reader }

func (*wireMessages) Write(protocol.Message) error { return nil }
