package network

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// maxQueuedPackets is how many packets are on their way in one direction. What comes when there are as many is lost.
	maxQueuedPackets = 8192
	// maxPacketBytes is the largest packet, that is, the device's MTU or more.
	maxPacketBytes = 2048
)

// Options say what a link does to packets.
type Options struct {
	Delay time.Duration // of each packet, in each direction
}

// A Link joins two namespaces.
type Link struct {
	AddrA, AddrB netip.Addr // of its ends

	tuns  [2]*os.File
	lost  atomic.Int64
	done  chan struct{}
	tasks sync.WaitGroup
}

// links counts the links of this process, each of which is a network of its own.
var links atomic.Uint32

// A packet is on its way until due.
type packet struct {
	due  time.Time
	data []byte
}

// Connect joins two namespaces by a link, which is gone with the test.
func Connect(tb testing.TB, a, b *Namespace, o Options) *Link {
	tb.Helper()
	n := links.Add(1) * 4
	address := func(host byte) netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n) + host})
	}
	return connect(tb, end{a, a.nextDevice(), address(1)}, end{b, b.nextDevice(), address(2)}, o.Delay)
}

// An end of a link.
type end struct {
	in      *Namespace
	device  string
	address netip.Addr
}

func connect(tb testing.TB, a, b end, delay time.Duration) *Link {
	tb.Helper()
	l := &Link{AddrA: a.address, AddrB: b.address, done: make(chan struct{})}
	tb.Cleanup(l.close)
	for i, e := range []end{a, b} {
		var tun *os.File
		var err error
		e.in.Do(func() { tun, err = openTUN(e.device, e.address) })
		if err != nil {
			missing(tb, fmt.Errorf("make a link: %w", err))
		}
		l.tuns[i] = tun
	}
	l.carry(l.tuns[0], l.tuns[1], delay)
	l.carry(l.tuns[1], l.tuns[0], delay)
	return l
}

// nextDevice is the name of a device that isn't there yet.
func (n *Namespace) nextDevice() string {
	n.devices++
	return fmt.Sprintf("link%d", n.devices)
}

// Lost is how many packets the link has lost because too many were on their way.
func (l *Link) Lost() int64 { return l.lost.Load() }

// carry moves packets in one direction until the link is closed.
func (l *Link) carry(from, to *os.File, delay time.Duration) {
	queue := make(chan packet, maxQueuedPackets)
	l.tasks.Go(func() {
		defer close(queue)
		l.take(from, queue, delay)
	})
	l.tasks.Go(func() { l.deliver(queue, to) })
}

// take reads what the kernel sends.
func (l *Link) take(from *os.File, queue chan<- packet, delay time.Duration) {
	buf := make([]byte, maxPacketBytes)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return // the link is closed: nothing else fails
		}
		select {
		case queue <- packet{time.Now().Add(delay), append([]byte(nil), buf[:n]...)}:
		default:
			l.lost.Add(1)
		}
	}
}

// deliver hands each packet to the kernel when it is due.
func (l *Link) deliver(queue <-chan packet, to *os.File) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range queue {
		if wait := time.Until(p.due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-l.done:
				continue
			}
		}
		_, _ = to.Write(p.data) // what the kernel doesn't take is lost, as on any link
	}
}

func (l *Link) close() {
	close(l.done)
	for _, tun := range l.tuns {
		if tun != nil {
			_ = tun.Close() // nothing is buffered
		}
	}
	l.tasks.Wait()
}
