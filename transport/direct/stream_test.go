package direct

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// oneEnd is a stream over a pipe, and the pipe's other end.
func oneEnd(t testing.TB) (s *stream, other net.Conn, ended *atomic.Int32) {
	t.Helper()
	near, far := net.Pipe()
	ended = new(atomic.Int32)
	s = newStream(near, func() { ended.Add(1) })
	t.Cleanup(func() {
		s.close()
		_ = far.Close()
	})
	return s, far, ended
}

// readFrame reads a frame's content.
func readFrame(r io.Reader) ([]byte, error) {
	var header [streamHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(header[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// Behind so much that a proxy may keep some of it back there are empty frames, when nothing else follows; behind less there is none.
func TestFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, other, _ := oneEnd(t)
		empty, datagrams := 0, 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				b, err := readFrame(other)
				if err != nil {
					return
				}
				switch {
				case len(b) == 0:
					empty++
				case b[0] != framePadding:
					datagrams++
				}
			}
		}()
		time.Sleep(time.Second) // for the padding
		synctest.Wait()
		if empty != len(fillAfter) {
			t.Errorf("behind the padding: %d empty frames", empty)
		}
		empty = 0
		send := func(n int) {
			for range n {
				if _, err := s.Write(make([]byte, 1000)); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		send(4)
		if empty != 0 || datagrams != 4 {
			t.Errorf("behind 4 kB: %d empty frames", empty)
		}
		send(1)
		if empty != len(fillAfter) || datagrams != 5 {
			t.Errorf("behind 5 kB: %d empty frames", empty)
		}
		send(4)
		if empty != len(fillAfter) {
			t.Errorf("behind 4 kB more: %d empty frames", empty)
		}
		s.close()
		<-done
	})
}

// Who doesn't read has us keep only so much, blocks us only so long, and there is room for probes when there is none for packets.
func TestStreamFull(t *testing.T) {
	s, _, ended := oneEnd(t)
	for packets := 0; s.crowded() == nil; packets++ {
		_, _ = s.Write(make([]byte, 1000))
		if packets > 2*crowdedBytes/1000 { // as much again is being written
			t.Fatalf("%d packets were taken", packets)
		}
		time.Sleep(time.Microsecond) // for the writer to take the first
	}
	begin := time.Now()
	if s.room() || time.Since(begin) < roomWithin {
		t.Errorf("room for a packet after %v", time.Since(begin))
	}
	pending := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.pending)
	}
	before := pending()
	if _, err := s.Write(make([]byte, 100)); err != nil || pending() == before {
		t.Errorf("no room for a probe: %v", err)
	}
	for range 1000 {
		_, _ = s.Write(make([]byte, 1000))
	}
	if n := pending(); n > maxPendingBytes {
		t.Errorf("%d bytes are pending", n)
	}
	s.close()
	if _, err := s.Write([]byte{1}); !errors.Is(err, errEnded) || ended.Load() != 1 {
		t.Errorf("%v, ended %d times", err, ended.Load())
	}
}

// A deadline that passes in the middle of a frame loses nothing of it.
func TestStreamDeadline(t *testing.T) {
	s, other, ended := oneEnd(t)
	buf := make([]byte, 2*maxDatagramBytes)
	for _, part := range [][]byte{{0}, {5, 1}, {2, 3}} {
		go func() { _, _ = other.Write(part) }() // a pipe's writer waits for its reader
		_ = s.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := s.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) || n != 0 {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	_ = s.SetReadDeadline(time.Now().Add(deadline))
	go func() { _, _ = other.Write([]byte{4, 5, 0, 0, 0, 1, 9}) }()
	for _, want := range [][]byte{{1, 2, 3, 4, 5}, {9}} {
		if n, err := s.Read(buf); err != nil || !bytes.Equal(buf[:n], want) {
			t.Fatalf("%x, %v, want %x", buf[:n], err, want)
		}
	}
	if s.over() {
		t.Error("it has ended")
	}
	go func() { _, _ = other.Write(append([]byte{5, 0xad}, make([]byte, maxDatagramBytes+1)...)) }()
	if _, err := s.Read(buf); !errors.Is(err, errFrame) || !s.over() || ended.Load() != 1 {
		t.Errorf("a frame that is too long: %v", err)
	}
}

// Whatever comes over a stream, datagrams are of a proper size, and those that are taken are those that were sent.
func FuzzStream(f *testing.F) {
	f.Add([]byte{0, 1, 9, 0, 0, 0, 2, 8, 7})
	f.Add(append([]byte{5, 0xad}, make([]byte, maxDatagramBytes+1)...))
	f.Add(append([]byte{5, 0xac}, make([]byte, maxDatagramBytes)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &stream{in: bufio.NewReader(bytes.NewReader(b))}
		want := bytes.NewReader(b)
		buf := make([]byte, 2*maxDatagramBytes)
		for {
			n, err := s.frame(buf)
			if err != nil {
				return
			}
			if n > maxDatagramBytes {
				t.Fatalf("%d bytes", n)
			}
			if sent, err := readFrame(want); err != nil || !bytes.Equal(sent, buf[:n]) {
				t.Fatalf("%x, want %x, %v", buf[:n], sent, err)
			}
		}
	})
}

// readWriter reads what was given and drops what is written.
type readWriter struct{ io.Reader }

func (readWriter) Write(b []byte) (int, error) { return len(b), nil }

// Whatever a proxy answers, what is behind its answer stays.
func FuzzProxyAnswer(f *testing.F) {
	right := append(append([]byte{5, 0, 5, 0, 0, 3, 40}, make([]byte, 40)...), 0, 0)
	f.Add(right)
	f.Add(append(right, 1, 2, 3))
	f.Add([]byte{5, 0xff})
	f.Add([]byte{5, 0, 5, 1, 0, 3, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		if err := askProxy(readWriter{r}, StreamName{}); err != nil {
			return
		}
		if head := 2 + 5 + int(b[6]) + 2; b[0] != 5 || b[1] != 0 || b[2] != 5 || b[3] != 0 || r.Len() != len(b)-head {
			t.Fatalf("%x was taken, %d bytes are left", b, r.Len())
		}
	})
}
