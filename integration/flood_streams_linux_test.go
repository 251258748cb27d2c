package integration

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/protocol"
	"github.com/quic-go/quic-go"
)

const (
	// What one key may have: connections, and streams on each as QUIC allows them. serve takes fewer streams of a key, all connections together.
	floodKeyConnections = 32
	floodConnStreams    = 64
	// floodStreamBytes is by how much serve may grow by streams that are opened and left, and floodUnreadBytes by what it hasn't read of them: the
	// windows, 16 MiB, and what buffers and the garbage collector add to that.
	floodStreamBytes = 24 << 20
	floodUnreadBytes = 80 << 20
	// floodPiece is the size of pieces in which that comes: smaller ones aren't kept in buffers of a packet's size each.
	floodPiece = 128
	// floodChildren is how many processes git runs have at the most for as many pushes and fetches of one key as may run.
	floodChildren = 3 * (3 + 7)
	// floodFiles is how many descriptors serve has for those.
	floodFiles = 10 * (3 + 7)
)

// greeted connects and exchanges hellos.
func (f *flooder) greeted(key ed25519.PrivateKey, config quic.Config) *quic.Conn {
	f.Helper()
	conn := f.mustDial(key, config)
	control, err := conn.OpenStream()
	if err != nil {
		f.Fatal(err)
	}
	_ = control.SetDeadline(time.Now().Add(deadline)) // fails only on a stream that has ended, as the write does
	if err := protocol.Write(control, &protocol.Hello{Major: protocol.Major, Minor: protocol.Minor}); err != nil {
		f.Fatal(err)
	}
	if m, err := protocol.NewReader(control).Next(); err != nil {
		f.Fatalf("the answer to a hello is %v, %v", m, err)
	}
	return conn
}

// open opens a stream and asks for a service on it.
func (f *flooder) open(conn *quic.Conn, open *protocol.Open) *quic.Stream {
	f.Helper()
	stream := f.stream(conn)
	if err := protocol.Write(stream, open); err != nil {
		f.Fatal(err)
	}
	return stream
}

// stream opens one.
func (f *flooder) stream(conn *quic.Conn) *quic.Stream {
	f.Helper()
	stream, err := conn.OpenStream()
	if err != nil {
		f.Fatal(err)
	}
	_ = stream.SetDeadline(time.Now().Add(deadline)) // as above
	return stream
}

// Streams that are opened and left, as many as may be: with nothing, with a part of a frame, or with an open and nothing after it.
func TestFloodOfStreams(t *testing.T) {
	t.Parallel()
	f := newFloodScene(t, testserver.Prosody)
	flood := newFlooder(t, f.server, "alice", "flood", f.daemon.jid)
	key := f.alice.private()
	refused := &refusals{}
	var conns []*quic.Conn
	for c := range floodKeyConnections {
		conn := flood.greeted(key, quic.Config{})
		conns = append(conns, conn)
		for s := range floodConnStreams - 1 { // one is the control stream
			uuid := fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", c, s)
			var stream *quic.Stream
			switch s % 4 {
			case 0:
				stream = flood.stream(conn)
				_, _ = stream.Write([]byte{byte(protocol.TypeOpen)}) // it may have been refused
			case 1:
				stream = flood.stream(conn)
				_, _ = stream.Write([]byte{byte(protocol.TypeData), 0, 0x80, 0, 1, 2, 3})
			case 2:
				stream = flood.open(conn, &protocol.Open{Service: protocol.UploadPack, Repository: "proj", Client: uuid})
			case 3:
				stream = flood.open(conn, &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: uuid})
			}
			refused.watch(stream)
		}
	}
	f.push("meanwhile")
	f.carol.git(f.clone, "fetch", "--quiet")
	f.bounded("streams", floodUse{bytes: floodStreamBytes, files: floodFiles, children: floodChildren})
	status := f.bob.status()
	t.Logf("%d streams were refused; %d connections, %d run, %d wait", refused.count.Load(), len(status.Connections), len(status.Running), len(status.Waiting))
	const sent = floodKeyConnections * (floodConnStreams - 1)
	await(t, "streams to be refused", func() bool { return refused.count.Load() >= sent-128 })
	for _, conn := range conns {
		_ = conn.CloseWithError(0, "") // never fails
	}
	refused.tasks.Wait()
	f.ended()
}

// refusals counts streams that were refused because there are too many.
type refusals struct {
	count atomic.Int64
	tasks sync.WaitGroup
}

// watch reads a stream to its end.
func (r *refusals) watch(stream *quic.Stream) {
	r.tasks.Go(func() {
		_, err := io.Copy(io.Discard, stream)
		if e, ok := err.(*quic.StreamError); ok && e.Remote && uint32(e.ErrorCode) == uint32(protocol.CodeBusy) { //nolint:errorlint // as quic-go returns it
			r.count.Add(1)
		}
	})
}

// What a key sends on streams that wait for their turn is read when that comes: until then a window for each connection is all that there is of it, however
// small the pieces in which it comes.
func TestFloodOfUnreadData(t *testing.T) {
	t.Parallel()
	f := newFloodScene(t, testserver.Ejabberd)
	flood := newFlooder(t, f.server, "alice", "flood", f.daemon.jid)
	key := f.alice.private()
	const streams = 4 // of each connection: as many as serve takes of all
	var all sync.WaitGroup
	var conns []*quic.Conn
	var sent atomic.Int64
	for c := range floodKeyConnections {
		conn := flood.greeted(key, quic.Config{})
		conns = append(conns, conn)
		if c == 0 { // all places that one key may have
			for s := range config.DefaultMaxPushes - 1 {
				flood.open(conn, &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: fmt.Sprintf("00000000-0000-4000-8000-%012d", s)})
			}
			await(t, "pushes to run", func() bool { return len(f.bob.status().Running) == config.DefaultMaxPushes-1 })
			continue
		}
		for s := range streams {
			stream := flood.open(conn, &protocol.Open{Service: protocol.ReceivePack, Repository: "proj", Client: fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", c%20, s)})
			_ = stream.SetDeadline(time.Now().Add(floodWithin))
			all.Go(func() {
				piece := make([]byte, floodPiece)
				for {
					n, err := stream.Write(piece)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			})
		}
	}
	for last := int64(-1); sent.Load() != last; { // until nothing more is taken
		last = sent.Load()
		select {
		case <-time.After(time.Second):
		case <-t.Context().Done():
		}
	}
	t.Logf("%.1f MiB were taken of it", mib(int(sent.Load())))
	f.push("meanwhile")
	f.bounded("unread", floodUse{bytes: floodUnreadBytes, files: floodFiles, children: floodChildren})
	for _, conn := range conns {
		_ = conn.CloseWithError(0, "")
	}
	all.Wait()
	f.ended()
}
