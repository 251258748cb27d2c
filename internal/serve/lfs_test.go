package serve_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

func lfsOpen(service protocol.Service, name string) *protocol.Open {
	return &protocol.Open{Service: service, Repository: name, Client: clientA}
}

// accepted opens a service that is granted.
func (g *guest) accepted(open *protocol.Open) (*transport.Stream, *protocol.Reader) {
	g.t.Helper()
	s, r := g.open(open)
	if m, err := r.Next(); err != nil || m.Type() != protocol.TypeAccept {
		g.t.Fatalf("%+v is answered with %+v, %v", open, m, err)
	}
	return s, r
}

// Objects are for those who may fetch, and from those who may push.
func TestLFSAccess(t *testing.T) {
	w := newWorld(t, deadline, "proj", "read", "hidden")
	grants := map[string]peers.Access{"proj": peers.Write, "read": peers.Read}
	alice, carol := w.guest("alice", grants).hello(), w.guest("carol", grants).hello()
	alice.refused(lfsOpen(protocol.LFSDownload, "hidden"), protocol.CodeNoRepository)
	alice.refused(lfsOpen(protocol.LFSUpload, "hidden"), protocol.CodeNoRepository)
	alice.refused(lfsOpen(protocol.LFSUpload, "read"), protocol.CodeReadOnly)
	for name, service := range map[string]protocol.Service{"read": protocol.LFSDownload, "proj": protocol.LFSUpload} {
		s, r := alice.accepted(lfsOpen(service, name))
		_ = s.Close()
		if m, err := r.Next(); err != nil || m.Type() != protocol.TypeDone {
			t.Errorf("%s ends with %+v, %v", service, m, err)
		}
	}
	carol.refused(lfsOpen(protocol.LFSUpload, "proj"), protocol.CodeUUIDBound)
}

// One who may only read can't write by what it says on a stream for downloads.
func TestLFSPutOnDownload(t *testing.T) {
	w := newWorld(t, deadline, "read")
	g := w.guest("alice", map[string]peers.Access{"read": peers.Read}).hello()
	s, r := g.accepted(lfsOpen(protocol.LFSDownload, "read"))
	sum := sha256.Sum256([]byte("x"))
	for _, m := range []protocol.Message{&protocol.LFSPut{OID: sum[:], Size: 1}, protocol.Data("x")} {
		if err := protocol.Write(s, m); err != nil {
			t.Fatal(err)
		}
	}
	if code := endCode(t, r); code != protocol.CodeProtocol {
		t.Errorf("given up with %v", code)
	}
	if _, err := os.Stat(filepath.Join(w.repos["read"].Repo.Dir, "lfs")); err == nil {
		t.Error("something was written")
	}
}

// Streams for objects count among the services of a key, and don't queue behind one another.
func TestLFSStreamsAreBounded(t *testing.T) {
	g := newWorld(t, deadline, "proj").guest("alice", writeProj).hello()
	for range 7 { // of 8 fetches: one key doesn't get the last place
		g.accepted(lfsOpen(protocol.LFSUpload, "proj"))
	}
	_, r := g.open(lfsOpen(protocol.LFSUpload, "proj"))
	if m, err := r.Next(); err != nil || !reflect.DeepEqual(m, &protocol.Queued{Before: 1}) {
		t.Errorf("one more is answered with %+v, %v", m, err)
	}
}

// slowUpload sends an object byte by byte on a stream of its own until stop is called.
func (g *guest) slowUpload() (stop func()) {
	g.t.Helper()
	s, _ := g.accepted(lfsOpen(protocol.LFSUpload, "proj"))
	if err := protocol.Write(s, &protocol.LFSPut{OID: bytes.Repeat([]byte{1}, protocol.OIDBytes), Size: 1 << 30}); err != nil {
		g.t.Fatal(err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if err := protocol.Write(s, protocol.Data("x")); err != nil {
					g.t.Error(err)
					return
				}
			case <-done:
				s.CancelWrite(transport.StreamCode(protocol.CodeCancelled))
				s.CancelRead(transport.StreamCode(protocol.CodeCancelled))
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// A push whose git is in the hook pre-push, which uploads objects, waits as long as these move. One that has begun isn't kept by them.
func TestPushWaitsForUpload(t *testing.T) {
	const timeout = time.Second
	w := newWorld(t, timeout, "proj")
	g := w.guest("alice", writeProj).hello()
	s, r := g.accepted(&protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: clientA})
	stop := g.slowUpload()
	defer stop()
	beats := 0
	for end := time.Now().Add(3 * timeout); time.Now().Before(end); {
		m, err := r.Next()
		if err != nil {
			t.Fatalf("the push was given up: %v", err)
		}
		if data, ok := m.(protocol.Data); ok && len(data) == 0 {
			beats++
		}
	}
	if beats < 3 || beats > 15 {
		t.Errorf("%d signs of life in %v", beats, 3*timeout)
	}
	if err := protocol.Write(s, protocol.Data("0000")); err != nil { // no push after all
		t.Fatal(err)
	}
	for {
		m, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if _, done := m.(*protocol.Done); done {
			break
		}
	}
	pids := w.hang("proj")
	_, r = g.push()
	hanging := pids()
	if code := endCode(t, r); code != protocol.CodeTimeout {
		t.Errorf("given up with %v", code)
	}
	w.ended(hanging)
}
