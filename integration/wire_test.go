package integration

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A wire is what homes reach a server by: a proxy that counts, and can be slow, cut or silent.
type wire struct {
	net.Listener
	to             string
	bytesPerSecond int // of what goes to the server, of all connections together; 0 is no limit
	sent           atomic.Int64
	logins         atomic.Int64 // connections that were made

	mu     sync.Mutex
	down   bool     // nobody gets through
	from   net.Addr // the address that the server sees
	conns  map[net.Conn]struct{}
	ended  chan struct{}
	silent chan struct{} // closed when the connections that there are have gone silent
	free   time.Time     // when the limit lets more through
	tasks  sync.WaitGroup
}

// newWire makes a wire to a server, as which homes get to know it.
func newWire(t testing.TB, s *testserver.Server, bytesPerSecond int) (*wire, *testserver.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, to: s.Addr, bytesPerSecond: bytesPerSecond, conns: make(map[net.Conn]struct{}), silent: make(chan struct{}), ended: make(chan struct{})}
	w.tasks.Go(w.accept)
	t.Cleanup(func() {
		_ = l.Close()
		close(w.ended)
		w.cut()
		w.tasks.Wait()
	})
	return w, &testserver.Server{Name: s.Name, Addr: l.Addr().String(), CAFile: s.CAFile, Domain: s.Domain, Accounts: s.Accounts}
}

func (w *wire) accept() {
	for {
		client, err := w.Accept()
		if err != nil {
			return
		}
		w.tasks.Go(func() { w.serve(client) })
	}
}

// serve forwards what a client says, until one side ends, and what the server says.
func (w *wire) serve(client net.Conn) {
	w.mu.Lock()
	down, dialer := w.down, net.Dialer{LocalAddr: w.from, Timeout: deadline}
	w.mu.Unlock()
	if down {
		reset(client)
		return
	}
	server, err := dialer.Dial("tcp", w.to)
	if err != nil {
		reset(client)
		return
	}
	w.logins.Add(1)
	w.mu.Lock()
	silent := w.silent
	w.conns[client], w.conns[server] = struct{}{}, struct{}{}
	w.mu.Unlock()
	w.tasks.Go(func() { w.copy(client, server, silent, func(int) {}) })
	w.copy(server, client, silent, w.count)
}

// copy forwards one direction. Gone silent it closes nothing.
func (w *wire) copy(to, from net.Conn, silent <-chan struct{}, count func(int)) {
	defer to.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-silent:
			count(n)
			w.swallow(from, count)
			return
		default:
		}
		count(n)
		if _, writeErr := to.Write(buf[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// swallow reads what nobody gets. The other side isn't told when this one gives up.
func (w *wire) swallow(from net.Conn, count func(int)) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if count(n); err != nil {
			break
		}
	}
	<-w.ended
}

// count notes what goes to the server, and waits for the limit.
func (w *wire) count(n int) {
	w.sent.Add(int64(n))
	if w.bytesPerSecond == 0 {
		return
	}
	w.mu.Lock()
	if now := time.Now(); w.free.Before(now) {
		w.free = now
	}
	w.free = w.free.Add(time.Duration(n) * time.Second / time.Duration(w.bytesPerSecond))
	until := w.free
	w.mu.Unlock()
	time.Sleep(time.Until(until))
}

// reset closes a connection as a broken one is.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// cut resets the connections that there are.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		reset(c)
	}
	clear(w.conns)
}

// silence has the connections that there are carry nothing any more. New ones come from another address.
func (w *wire) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.silent)
	w.silent = make(chan struct{})
	w.from = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}
}

// setDown cuts the wire for good, or mends it.
func (w *wire) setDown(down bool) {
	w.mu.Lock()
	w.down = down
	w.mu.Unlock()
	if down {
		w.cut()
	}
}
