package integration

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/internal/config"
	"github.com/quic-go/quic-go"
)

const (
	// stoppedBytes is the size of what receivers ask for that stop in the middle.
	stoppedBytes = 100_000_000
	// stoppedAfter is how much each takes before, and wideAfter one with a wide window, until it is filled.
	stoppedAfter = 2 << 20
	wideAfter    = 16 << 20
	// stoppedFlightBytes is how much may be on its way to each, and wideFlightBytes to one that says that it is far: twice the widest window, and 1 MiB (doc/security.md).
	stoppedFlightBytes = 4<<20 + 1<<19
	wideFlightBytes    = 13<<20 + 1<<19
	// stoppedServerBytes is by how much the XMPP server may grow, and wideServerBytes what it takes of wideFlightBytes in base64, and some.
	stoppedServerBytes = 8 << 20
	wideServerBytes    = 24 << 20
	// stoppedDelay is how late packets are acknowledged that take up a wide window.
	stoppedDelay = 2 * time.Second
)

// serverBytes is how much memory the XMPP server has, when that has settled.
func (f *floodScene) serverBytes() int {
	f.Helper()
	last := 0
	await(f, "the server's memory to settle", func() bool {
		now := statusField(f, f.server.PID(), "VmRSS") << 10
		defer func() { last = now }()
		select {
		case <-time.After(500 * time.Millisecond):
		case <-f.Context().Done():
		}
		return now == last || abs(now-last) < 256<<10
	})
	return last
}

func abs(n int) int { return max(n, -n) }

// stuck waits until serve sends nothing more on the fetches that run, if any do.
func (f *floodScene) stuck() (sent uint64) {
	f.Helper()
	last := uint64(1)
	await(f, "serve to send no more", func() bool {
		sent = 0
		for _, r := range f.bob.status().Running {
			sent += r.Sent
		}
		defer func() { last = sent }()
		select {
		case <-time.After(time.Second):
		case <-f.Context().Done():
		}
		return sent == last
	})
	return sent
}

// Receivers of a large pack stop in the middle: what the XMPP server keeps for them is no more than what their windows let through, and is seen in its own memory.
// One that has wider windows than it may is thrown out when too much is on its way.
func TestFloodByStoppedReceivers(t *testing.T) {
	t.Parallel()
	for _, name := range testserver.XMPP {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cases := []stoppedCase{{"all places", 1 << 20, config.DefaultMaxFetches - 1}, {"a program", 0, 0}}
			if name == testserver.Prosody || os.Getenv("SURVIVE_SECONDS") != "" { // it takes its time
				cases = append(cases, stoppedCase{"a wide window", 64 << 20, 1})
			}
			f := newFloodScene(t, name, "core.bigFileThreshold", "1m", "core.compression", "0")
			randomFile(t, filepath.Join(f.served, "blob"), stoppedBytes)
			tip := f.bob.commit(f.served, "large")
			f.snapshot = snapshot(t, f.served)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { f.stopped(t, tip, c) })
			}
			f.ended()
		})
	}
}

// A stoppedCase is a number of receivers with a window, or a clone of Alice's.
type stoppedCase struct {
	name   string
	window uint64
	places int
}

// wide tells whether the window is wider than a program's, for which the receiver says that it is far: it acknowledges late.
func (c stoppedCase) wide() bool { return c.window > 1<<20 }

func (f *floodScene) stopped(t *testing.T, tip string, c stoppedCase) {
	outer := f.T
	f.T = t
	defer func() { f.T = outer }()
	before := f.serverBytes()
	var end func()
	taken := func() int { return stoppedAfter }
	if c.places == 0 {
		end = f.stoppedProgram()
	} else {
		end, taken = f.stoppedFetches(tip, c.places, c.window)
	}
	sent := f.stuck()
	after := f.serverBytes()
	t.Logf("%.1f MiB sent, %.1f taken: the server's memory went from %.1f to %.1f MiB", mib(int(sent)), mib(taken()), mib(before), mib(after))
	flightBytes, serverBytes := max(1, c.places)*stoppedFlightBytes, stoppedServerBytes
	if c.wide() {
		flightBytes, serverBytes = wideFlightBytes, wideServerBytes
	}
	if after-before > serverBytes {
		t.Errorf("the server took %.1f MiB more, at most %.1f are allowed", mib(after-before), mib(serverBytes))
	}
	if flight := int(sent) - taken(); flight > flightBytes {
		t.Errorf("%.1f MiB are on their way", mib(flight))
	}
	f.push("meanwhile")
	end()
	f.bob.onlyServes(t, f.daemon)
}

// stoppedProgram has Alice clone, and stops her programs in the middle.
func (f *floodScene) stoppedProgram() (end func()) {
	f.Helper()
	into := filepath.Join(f.alice.dir, "stopped")
	clone := f.alice.start(f.T, f.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", into)
	await(f, "data to flow", func() bool { return incoming(into) > stoppedAfter })
	if err := syscall.Kill(-clone.cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		f.Fatal(err)
	}
	return func() {
		_ = syscall.Kill(-clone.cmd.Process.Pid, syscall.SIGINT) // ours, as the next
		_ = syscall.Kill(-clone.cmd.Process.Pid, syscall.SIGCONT)
		clone.wait(f.T)
	}
}

// stoppedFetches has a peer fetch so many times at once, and stop reading its connection to the server in the middle.
func (f *floodScene) stoppedFetches(tip string, n int, window uint64) (end func(), took func() int) {
	f.Helper()
	flood := newFlooder(f, f.server, "alice", "flood", f.daemon.jid)
	if tcp, ok := flood.client.conn.(*tls.Conn).NetConn().(*net.TCPConn); !ok || tcp.SetReadBuffer(32<<10) != nil {
		f.Fatal("the receiver's own buffer can't be made small")
	}
	after := int64(n) * stoppedAfter
	if window > 1<<20 {
		after = int64(n) * wideAfter
		flood.delay = stoppedDelay
	}
	var conns []*quic.Conn
	var taken, running atomic.Int64
	var all sync.WaitGroup
	for range n {
		conn := flood.greeted(f.alice.private(), quic.Config{
			InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window,
			InitialConnectionReceiveWindow: window * 3 / 2, MaxConnectionReceiveWindow: window * 3 / 2,
		})
		conns = append(conns, conn)
		stream := flood.fetchAll(conn, tip)
		running.Add(1)
		all.Go(func() {
			defer running.Add(-1)
			buf := make([]byte, 32<<10)
			for {
				n, err := io.ReadFull(stream, buf)
				taken.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	}
	await(f, "data to flow, or to end", func() bool { return taken.Load() > after || running.Load() == 0 })
	flood.deaf.Store(true)
	end = func() {
		for _, conn := range conns {
			_ = conn.CloseWithError(0, "") // never fails
		}
		all.Wait()
	}
	return end, func() int { return int(taken.Load()) }
}
