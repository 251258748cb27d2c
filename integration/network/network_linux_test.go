package network_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/network"
)

const (
	delay    = 20 * time.Millisecond
	deadline = 20 * time.Second
)

// Each packet takes the delay in each direction, and not much more.
func TestDelay(t *testing.T) {
	for _, delay := range []time.Duration{0, delay} {
		n := network.New(t, network.Options{Delay: delay})
		echo := udp(t, n.B, n.AddrB.String())
		go func() {
			buf := make([]byte, 100)
			for {
				length, from, err := echo.ReadFrom(buf)
				if err != nil {
					return // the end of the test
				}
				_, _ = echo.WriteTo(buf[:length], from)
			}
		}()
		client := udp(t, n.A, n.AddrA.String())
		fastest := deadline
		for range 10 {
			began := time.Now()
			_, err := client.WriteTo([]byte("ping"), echo.LocalAddr())
			if err == nil {
				_, _, err = client.ReadFrom(make([]byte, 100))
			}
			if err != nil {
				t.Fatal(err)
			}
			fastest = min(fastest, time.Since(began))
		}
		if fastest < 2*delay || fastest > 2*delay+10*time.Millisecond {
			t.Errorf("with a delay of %v there and back takes %v", delay, fastest)
		}
	}
}

func udp(t *testing.T, n *network.Namespace, host string) (conn net.PacketConn) {
	t.Helper()
	var err error
	n.Do(func() { conn, err = net.ListenPacket("udp4", host+":0") })
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(deadline))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TCP carries much over a link with a delay, whole and in order.
func TestTCP(t *testing.T) {
	n := network.New(t, network.Options{Delay: delay})
	from, to := connect(t, n)
	data := make([]byte, 16<<20)
	_, _ = rand.Read(data) // never fails
	sent := make(chan error, 1)
	go func() {
		_, err := from.Write(data)
		sent <- errors.Join(err, from.Close())
	}()
	got, err := io.ReadAll(to)
	if err := errors.Join(err, <-sent); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came of %d: %v", len(got), len(data), err)
	}
}

// connect makes a TCP connection from A to B.
func connect(t *testing.T, n *network.Pair) (from, to net.Conn) {
	t.Helper()
	var l net.Listener
	var err error
	n.B.Do(func() { l, err = net.Listen("tcp4", n.AddrB.String()+":0") })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n.A.Do(func() { from, err = net.DialTimeout("tcp4", l.Addr().String(), deadline) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = from.Close() })
	if to, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	if err := errors.Join(from.SetDeadline(time.Now().Add(deadline)), to.SetDeadline(time.Now().Add(deadline))); err != nil {
		t.Fatal(err)
	}
	return from, to
}

// A link keeps no more than so many packets, and says how many it lost.
func TestQueueIsBounded(t *testing.T) {
	n := network.New(t, network.Options{Delay: time.Minute})
	conn := udp(t, n.A, n.AddrA.String())
	to := &net.UDPAddr{IP: n.AddrB.AsSlice(), Port: 9}
	for end := time.Now().Add(deadline); n.Lost() == 0; {
		if _, err := conn.WriteTo(make([]byte, 10), to); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("nothing is lost, however much is sent")
		}
	}
}

// What a function starts is in the namespace, its children as well, and what comes after it isn't.
func TestDo(t *testing.T) {
	n := network.New(t, network.Options{})
	of := func() string {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "readlink /proc/self/ns/net").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	outside := of()
	var a, b string
	n.A.Do(func() {
		a = of()
		n.B.Do(func() { b = of() })
		if again := of(); again != a {
			t.Errorf("in %s, then in %s", a, again)
		}
	})
	if a == outside || b == outside || a == b || of() != outside {
		t.Errorf("outside %s, in A %s, in B %s, then %s", outside, a, b, of())
	}
	conn := udp(t, n.A, "127.0.0.1")
	if l, err := net.ListenPacket("udp4", conn.LocalAddr().String()); err == nil {
		_ = l.Close()
	} else {
		t.Errorf("a port of the namespace's is taken outside: %v", err)
	}
}

// Nothing is left when the test ends, however it ends.
func TestNothingIsLeft(t *testing.T) {
	before := open(t)
	for _, end := range []func(*testing.T){
		func(*testing.T) {},
		func(t *testing.T) { t.SkipNow() }, // as after a failure
	} {
		t.Run("", func(t *testing.T) {
			n := network.New(t, network.Options{Delay: delay})
			from, _ := connect(t, n)
			if _, err := from.Write([]byte("on its way")); err != nil {
				t.Fatal(err)
			}
			n.A.Do(func() { end(t) })
		})
	}
	for end := time.Now().Add(deadline); open(t) > before; { // a connection is closed in the background
		if time.Now().After(end) {
			t.Fatalf("%d files are open, before it were %d", open(t), before)
		}
	}
}

// open counts the files that this process has open.
func open(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
