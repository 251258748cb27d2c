package direct

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// A joint is a proxy for bytestreams, which has a script for the connections that ask for a name. Real ones are used in package transport's tests.
type joint struct {
	net.Listener
	greet func(net.Conn) bool          // in the place of SOCKS5; may be nil
	join  func(first, second net.Conn) // once both ends are there and activated
	only  int                          // how many connections are taken; 0: all

	mu    sync.Mutex
	names map[string][]net.Conn
	conns []net.Conn
	tasks sync.WaitGroup
}

// newJoint starts one; without a script it joins.
func newJoint(t *testing.T) *joint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	j := &joint{Listener: l, join: joined, names: map[string][]net.Conn{}}
	t.Cleanup(func() {
		_ = l.Close()
		j.cut()
		j.tasks.Wait()
	})
	return j
}

// start takes connections.
func (j *joint) start() *joint {
	j.tasks.Go(func() {
		for n := 1; ; n++ {
			conn, err := j.Accept()
			if err != nil {
				return
			}
			j.mu.Lock()
			j.conns = append(j.conns, conn)
			j.mu.Unlock()
			if j.only > 0 && n > j.only {
				_ = conn.Close()
				continue
			}
			j.tasks.Go(func() { j.talk(conn) })
		}
	})
	return j
}

func (j *joint) talk(conn net.Conn) {
	if j.greet != nil && !j.greet(conn) {
		return
	}
	head, request := make([]byte, 3), make([]byte, 47)
	if _, err := io.ReadFull(conn, head); err != nil || string(head) != "\x05\x01\x00" {
		return
	}
	_, _ = conn.Write([]byte{5, 0})
	if _, err := io.ReadFull(conn, request); err != nil || string(request[:5]) != "\x05\x01\x00\x03\x28" {
		return
	}
	request[1] = 0
	_, _ = conn.Write(request)
	j.mu.Lock()
	defer j.mu.Unlock()
	name := string(request[5:45])
	j.names[name] = append(j.names[name], conn)
}

// cut closes all connections.
func (j *joint) cut() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.conns {
		_ = c.Close()
	}
}

// proxy is the Config.Proxy of who has it.
func (j *joint) proxy(context.Context) (*Proxy, error) {
	addr := j.Addr().(*net.TCPAddr).AddrPort()
	p := &Proxy{Host: addr.Addr().String(), Port: addr.Port()}
	_, _ = rand.Read(p.Name[:]) // never fails
	p.Activate = func(context.Context) error {
		j.mu.Lock()
		defer j.mu.Unlock()
		ends := j.names[hex.EncodeToString(p.Name[:])]
		if len(ends) != 2 {
			return errors.New("not both are there")
		}
		j.tasks.Go(func() { j.join(ends[0], ends[1]) })
		return nil
	}
	return p, nil
}

// noProxy is that of who has none.
func noProxy(context.Context) (*Proxy, error) { return nil, errNoProxy }

// joined passes on what comes, both ways.
func joined(first, second net.Conn) {
	var tasks sync.WaitGroup
	for _, pair := range [][2]net.Conn{{first, second}, {second, first}} {
		tasks.Go(func() {
			_, _ = io.Copy(pair[0], pair[1]) // until one end is gone
			_ = pair[0].Close()
		})
	}
	tasks.Wait()
}

// overProxy is a wire whose ends have no UDP, and these proxies.
func overProxy(t *testing.T, a, b func(context.Context) (*Proxy, error)) *wire {
	t.Helper()
	return newWireWith(t, func(one, other *Config) {
		one.RelayOnly, one.Proxy = true, a
		other.RelayOnly, other.Proxy = true, b
	})
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only for its port
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// soon waits for a condition.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begin := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 2*deadline {
			t.Fatal("not soon: " + what)
		}
	}
}
