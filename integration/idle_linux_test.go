package integration

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// TestIdle measures what a serve costs that knows ten peers, all online, and has nothing to do. It takes IDLE_SECONDS, and isn't
// run without them.
func TestIdle(t *testing.T) {
	seconds := number(t, "IDLE_SECONDS", 0)
	if seconds == 0 {
		t.Skip("IDLE_SECONDS isn't set: make idle sets it")
	}
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		const peers = 10
		link := newTLSCounter(t, s.Addr)
		bob := newOrigin(t, s, "Bob", "bob")
		bob.daemon.stop()
		bob.git(bob.dir, "config", "--global", "xmpp.server", link.Addr().String())
		bob.daemon = bob.serve(bob.proj)
		var others []*replica
		for n := range peers {
			others = append(others, newReplica(t, s, fmt.Sprintf("Alice %d", n), "alice", bob))
		}
		id := bob.commit(bob.proj, "to-all")
		for _, o := range others {
			o.at(t, "main", id)
		}
		await(t, "an end of all connections", func() bool { return len(bob.status().Connections) == 0 })

		records, cpu := link.sent.Load(), bob.daemon.cpu(t)
		if records == 0 || cpu == 0 {
			t.Fatalf("nothing is counted: %d records, %v", records, cpu)
		}
		time.Sleep(time.Duration(seconds) * time.Second) // what is measured is that nothing happens
		records, cpu = link.sent.Load()-records, bob.daemon.cpu(t)-cpu
		minutes := float64(seconds) / 60
		t.Logf("%.1f minutes: %d TLS records sent, %.2f a minute; %v of CPU time", minutes, records, float64(records)/minutes, cpu)
		if most := int64(minutes) + 1; records > most {
			t.Errorf("%d records sent in %.1f minutes, want at most %d", records, minutes, most)
		}
		if share := cpu.Seconds() / float64(seconds); share > 0.001 {
			t.Errorf("%.4f of a processor", share)
		}
	})
}

// cpu is how much time the process has spent on a processor.
func (d *daemon) cpu(t testing.TB) time.Duration {
	t.Helper()
	own, _ := processorTime(t, d.cmd.Process.Pid)
	return own
}

// processorTime is how much time a process has spent on a processor, and how much its children have that it has waited for, with theirs.
func processorTime(t testing.TB, pid int) (own, children time.Duration) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may have spaces
	var times [4]time.Duration
	for i, f := range strings.Fields(rest)[11:15] { // utime, stime, cutime and cstime, proc(5)
		ticks, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		times[i] = time.Duration(ticks) * time.Second / 100 // USER_HZ
	}
	return times[0] + times[1], times[2] + times[3]
}

// A tlsCounter stands between a client and its server and counts the client's TLS records of data. One has one write's stanzas.
type tlsCounter struct {
	net.Listener
	sent  atomic.Int64
	tasks sync.WaitGroup
}

func newTLSCounter(t testing.TB, to string) *tlsCounter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &tlsCounter{Listener: l}
	c.tasks.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			c.tasks.Go(func() { c.forward(client, server) })
			t.Cleanup(func() { _ = client.Close() })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.tasks.Wait()
	})
	return c
}

// forward carries one connection.
func (c *tlsCounter) forward(client, server net.Conn) {
	defer server.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	in, out := io.Pipe()
	go func() {
		_, _ = io.Copy(out, io.TeeReader(client, server))
		_ = out.Close()
		_ = server.Close()
	}()
	c.count(in)
	<-back
}

// count reads a client's direction: XML up to the first byte of a TLS handshake, then records (RFC 8446, 5.1).
func (c *tlsCounter) count(in io.Reader) {
	const handshake, data = 22, 23
	defer func() { _, _ = io.Copy(io.Discard, in) }()
	var first [1]byte
	for first[0] != handshake {
		if _, err := io.ReadFull(in, first[:]); err != nil {
			return
		}
	}
	for {
		var rest [4]byte
		if _, err := io.ReadFull(in, rest[:]); err != nil {
			return
		}
		if first[0] == data {
			c.sent.Add(1)
		}
		if _, err := io.CopyN(io.Discard, in, int64(binary.BigEndian.Uint16(rest[2:]))); err != nil {
			return
		}
		if _, err := io.ReadFull(in, first[:]); err != nil {
			return
		}
	}
}
