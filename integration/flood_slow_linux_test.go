package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/protocol"
	"github.com/quic-go/quic-go"
)

const (
	// floodTimeout is xmpp.timeout where a peer is slow, and floodYieldMost how long one that waits may have to wait for its place.
	floodTimeout   = 4 * time.Second
	floodYieldMost = 2*floodTimeout + 6*time.Second
)

// fetchAll asks for a repository by git's oldest protocol and returns the stream when the pack comes.
func (f *flooder) fetchAll(conn *quic.Conn, tip string) *quic.Stream {
	f.Helper()
	stream := f.open(conn, &protocol.Open{Service: protocol.UploadPack, Repository: "proj"})
	_ = stream.SetDeadline(time.Now().Add(floodWithin)) // fails only on a stream that has ended
	reader := protocol.NewReader(stream)
	want := "want " + tip + " ofs-delta\n"
	request := fmt.Sprintf("%04x%s00000009done\n", len(want)+4, want)
	for said := ""; !strings.HasSuffix(said, "0000"); {
		m, err := reader.Next()
		if err != nil {
			f.Fatal(err)
		}
		if data, ok := m.(protocol.Data); ok {
			said += string(data)
		}
	}
	if err := protocol.Write(stream, protocol.Data(request)); err != nil {
		f.Fatal(err)
	}
	if m, err := reader.Next(); err != nil {
		f.Fatalf("%v, %v", m, err)
	}
	return stream
}

// A receiver that takes nothing, and says something every second, has a place for as long as nobody else wants it.
func TestFloodBySlowReader(t *testing.T) {
	t.Parallel()
	f := newFloodScene(t, testserver.Prosody, "xmpp.maxFetches", "1", "xmpp.timeout", fmt.Sprint(floodTimeout.Seconds()))
	randomFile(t, filepath.Join(f.served, "blob"), 8<<20)
	tip := f.bob.commit(f.served, "large")
	f.snapshot = snapshot(t, f.served)
	flood := newFlooder(t, f.server, "alice", "flood", f.daemon.jid)
	conn := flood.greeted(f.alice.private(), quic.Config{})
	stream := flood.fetchAll(conn, tip)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	say := func() error {
		<-ticker.C
		return protocol.Write(stream, protocol.Data("x"))
	}
	for began := time.Now(); time.Since(began) < 2*floodTimeout; {
		if err := say(); err != nil {
			t.Fatalf("given up after %v, while nobody waits: %v", time.Since(began), err)
		}
	}
	began := time.Now()
	fetch := f.carol.start(t, f.clone, "fetch", "origin")
	for ended := false; !ended && time.Since(began) < 2*floodYieldMost; {
		select {
		case err := <-fetch.ended:
			fetch.ended <- err
			ended = true
		default:
			_ = say() // it may have been given up
		}
	}
	r, took := fetch.wait(t), time.Since(began)
	t.Logf("Carol waited for %v: %s", took.Round(time.Millisecond), r.stderr)
	if r.status != 0 || took > floodYieldMost {
		t.Errorf("Carol's fetch, after %v: %v", took, r)
	}
	f.ended()
}
