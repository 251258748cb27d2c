package integration

import (
	"io"
	"net"
	"sync"
	"testing"

	"git-remote-xmpp/integration/network"
)

// A doorway is an address of this process's network from which connections go on in a namespace: a client that is part of this process looks at the addresses of its own network, and
// its goroutines are in no other.
type doorway struct {
	net.Listener
	done  chan struct{} // closed when there are no more conns
	conns []net.Conn
	tasks sync.WaitGroup
}

// newDoorway makes one to a server, and returns its address. It is gone with the test.
func newDoorway(tb testing.TB, n *network.Namespace, to string) string {
	tb.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	d := &doorway{Listener: l, done: make(chan struct{})}
	go d.accept(n, to)
	tb.Cleanup(func() {
		_ = l.Close()
		<-d.done
		for _, c := range d.conns {
			_ = c.Close() // it may be closed
		}
		d.tasks.Wait()
	})
	return l.Addr().String()
}

func (d *doorway) accept(n *network.Namespace, to string) {
	defer close(d.done)
	for {
		client, err := d.Accept()
		if err != nil {
			return
		}
		var server net.Conn
		n.Do(func() { server, err = net.DialTimeout("tcp4", to, deadline) })
		if err != nil {
			_ = client.Close()
			continue
		}
		d.conns = append(d.conns, client, server)
		d.tasks.Go(func() { forward(client, server) })
		d.tasks.Go(func() { forward(server, client) })
	}
}

// forward carries one direction.
func forward(to, from net.Conn) {
	_, _ = io.Copy(to, from) // either side may end it
	_ = to.Close()
}
