package network

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// headBytes is what is looked at of a packet: its IP header, and the ports.
	headBytes = 128
	// captureBytes is how much may wait to be looked at.
	captureBytes = 16 << 20
)

// A Flow is what has left a host for one address, by one protocol.
type Flow struct {
	Protocol string         // "tcp", "udp", "icmp", "icmp6", "arp", or another one's number
	To       netip.AddrPort // without a port where the protocol has none; zero for what isn't IP
}

func (f Flow) String() string { return f.Protocol + " to " + f.To.String() }

// A Capture has seen all packets that left a namespace, by any device but loopback, since it was begun.
type Capture struct {
	tb   testing.TB
	file *os.File
	done chan struct{}

	mu    sync.Mutex
	flows map[Flow]int
	ended bool
}

// Capture begins to look at the packets that leave, until the test ends.
func (n *Namespace) Capture() *Capture {
	n.tb.Helper()
	c := &Capture{tb: n.tb, done: make(chan struct{}), flows: make(map[Flow]int)}
	var err error
	n.Do(func() { c.file, err = openCapture() })
	if err != nil {
		missing(n.tb, fmt.Errorf("capture packets: %w", err))
	}
	go c.run()
	n.tb.Cleanup(func() {
		c.Flows() // complains of what was lost
		c.mu.Lock()
		c.ended = true
		c.mu.Unlock()
		_ = c.file.Close()
		<-c.done
	})
	return c
}

// openCapture opens a packet(7) socket that gets the heads of all packets that leave.
func openCapture() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0) // for now of no protocol: nothing comes
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	const packetType = 1<<32 - 0x1000 + 4 // SKF_AD_OFF + SKF_AD_PKTTYPE
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: packetType},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.PACKET_OUTGOING, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: headBytes},
		{Code: unix.BPF_RET | unix.BPF_K},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	const every = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8 // in the network's order
	err = errors.Join(
		os.NewSyscallError("set a filter", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter)),
		os.NewSyscallError("set a buffer", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBytes)),
		os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: every})))
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "capture"), nil
}

// run counts what comes until the socket is closed.
func (c *Capture) run() {
	defer close(c.done)
	raw, err := c.file.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) bool {
			c.take(int(fd))
			return false // wait for more
		})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && !c.ended {
		c.tb.Errorf("capture packets: %v", err)
	}
}

// take counts all that waits.
func (c *Capture) take(fd int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var head [headBytes]byte
	for {
		n, from, err := unix.Recvfrom(fd, head[:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil { // nothing is left
			return
		}
		if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Hatype != unix.ARPHRD_LOOPBACK {
			c.flows[flowOf(l.Protocol, head[:n])]++
		}
	}
}

// Flows counts the packets that have left until now.
func (c *Capture) Flows() map[Flow]int {
	c.tb.Helper()
	raw, err := c.file.SyscallConn()
	if err != nil {
		c.tb.Fatal(err)
	}
	var stats *unix.TpacketStats
	var statsErr error
	err = raw.Control(func(fd uintptr) {
		c.take(int(fd))
		stats, statsErr = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
	})
	if err := errors.Join(err, statsErr); err != nil {
		c.tb.Fatal(err)
	}
	if stats.Drops > 0 {
		c.tb.Errorf("%d packets were not captured", stats.Drops)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	flows := make(map[Flow]int, len(c.flows))
	for flow, packets := range c.flows {
		flows[flow] = packets
	}
	return flows
}

// flowOf reads the head of a packet, whose protocol above Ethernet's is in the network's order.
func flowOf(protocol uint16, head []byte) Flow {
	switch protocol = protocol>>8 | protocol<<8; {
	case protocol == unix.ETH_P_ARP:
		return Flow{Protocol: "arp"}
	case protocol == unix.ETH_P_IP && len(head) >= 20:
		to, ports := netip.AddrFrom4([4]byte(head[16:20])), head[min(len(head), int(head[0]&0xf)*4):]
		if binary.BigEndian.Uint16(head[6:])&0x1fff > 0 {
			ports = nil // a later fragment
		}
		return flowTo(head[9], to, ports)
	case protocol == unix.ETH_P_IPV6 && len(head) >= 40:
		next, rest := head[6], head[40:]
		for (next == unix.IPPROTO_HOPOPTS || next == unix.IPPROTO_DSTOPTS || next == unix.IPPROTO_ROUTING) && len(rest) >= 8 {
			next, rest = rest[0], rest[min(len(rest), 8+8*int(rest[1])):]
		}
		return flowTo(next, netip.AddrFrom16([16]byte(head[24:40])), rest)
	}
	return Flow{Protocol: fmt.Sprintf("ethertype %#x", protocol)}
}

func flowTo(protocol byte, to netip.Addr, ports []byte) Flow {
	names := map[byte]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_ICMP: "icmp", unix.IPPROTO_ICMPV6: "icmp6"}
	f := Flow{Protocol: cmp.Or(names[protocol], fmt.Sprintf("protocol %d", protocol)), To: netip.AddrPortFrom(to, 0)}
	if (protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_UDP) && len(ports) >= 4 {
		f.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(ports[2:]))
	}
	return f
}

// OfKernel tells whether the kernel sends such packets by itself, to find its neighbours and its routers.
func (f Flow) OfKernel() bool {
	return f.Protocol == "arp" || f.Protocol == "icmp6"
}

// List names flows, one a line.
func List(flows map[Flow]int) string {
	var b strings.Builder
	for flow, packets := range flows {
		fmt.Fprintf(&b, "%d packets: %s\n", packets, flow)
	}
	return b.String()
}
