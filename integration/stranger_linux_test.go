package integration

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/stun/v4"

	"git-remote-xmpp/integration/network"
)

// A udpSocket is one of a process.
type udpSocket struct {
	at     netip.AddrPort
	unread string // bytes, in hexadecimal digits
	lost   string // packets
}

// udpSocketsOf lists a process's of IPv4, by proc(5).
func udpSocketsOf(t *testing.T, pid int) (sockets []udpSocket) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", pid))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{}
	for _, f := range files {
		if inode, ok := strings.CutPrefix(must(os.Readlink(f)), "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 13 || !own[fields[9]] {
			continue
		}
		var a [4]byte
		var port uint16
		if _, err := fmt.Sscanf(fields[1], "%02X%02X%02X%02X:%04X", &a[3], &a[2], &a[1], &a[0], &port); err != nil {
			t.Fatalf("%s: %v", fields[1], err)
		}
		_, unread, _ := strings.Cut(fields[4], ":")
		sockets = append(sockets, udpSocket{netip.AddrPortFrom(netip.AddrFrom4(a), port), unread, fields[12]})
	}
	return sockets
}

// Who sends UDP to what serve has open for a direct path gets nothing back, not even that the port is open or closed, and disturbs nobody.
func TestStrangersUDP(t *testing.T) {
	t.Parallel()
	p := newWatchedPair(t, watchedOptions{alices: "auto", bobs: "auto"})
	p.at[p.alice].Do(func() { p.alice.git(p.clone, "ls-remote", "origin") })
	p.alice.awaitPath(t, "direct")
	p.bob.awaitPath(t, "direct")
	path := p.bob.status().Connections[0].Address

	stranger, lost := p.site[p.bob].NewHost(), p.site[p.bob].NewHost() // at Bob's own site: nobody else gets through his router
	answered := func(h *network.Host) (packets int) {
		for flow, n := range p.left[p.bob].Flows() {
			if flow.To.Addr() == h.Addr {
				packets += n
			}
		}
		return packets
	}
	pid := p.serves[p.bob].cmd.Process.Pid
	sockets := udpSocketsOf(t, pid)
	if len(sockets) == 0 {
		t.Fatal("serve has no sockets: the test looks in the wrong place")
	}
	for _, s := range sockets {
		sendUDP(t, stranger, netip.AddrPortFrom(p.at[p.bob].Addr, s.at.Port()), strangeWords(t))
	}
	await(t, "serve to read it", func() bool {
		for _, s := range udpSocketsOf(t, pid) {
			if strings.Trim(s.unread, "0") != "" {
				return false
			}
		}
		return true
	})
	sendUDP(t, lost, netip.AddrPortFrom(p.at[p.bob].Addr, 9), [][]byte{{1}})
	await(t, "an answer of a closed port, which shows that packets come and that answers are seen", func() bool { return answered(lost) > 0 })
	p.exchange(t)
	if n := answered(stranger); n != 0 {
		t.Errorf("%d answers to a stranger: %s", n, network.List(p.left[p.bob].Flows()))
	}
	for _, s := range udpSocketsOf(t, pid) {
		if s.lost != "0" {
			t.Errorf("%v lost %s packets: not all was read", s.at, s.lost)
		}
	}
	if c := p.bob.status().Connections; len(c) == 0 || c[0].Path != "direct" || c[0].Address != path {
		t.Errorf("connections afterwards: %+v, before by %s", c, path)
	}
}

// sendUDP sends from a host.
func sendUDP(t *testing.T, from *network.Host, to netip.AddrPort, words [][]byte) {
	t.Helper()
	var conn *net.UDPConn
	var err error
	from.Do(func() { conn, err = net.ListenUDP("udp4", nil) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for _, b := range words {
		if _, err := conn.WriteToUDPAddrPort(b, to); err != nil {
			t.Fatal(err)
		}
	}
}

// strangeWords are what somebody may try who knows what the program says over UDP, and no password.
func strangeWords(t *testing.T) (words [][]byte) {
	t.Helper()
	integrity := stun.NewShortTermIntegrity("guessed")
	for _, setters := range [][]stun.Setter{
		{stun.BindingRequest}, {stun.BindingRequest, stun.Fingerprint}, {stun.BindingRequest, stun.NewUsername("a:b"), stun.Fingerprint},
		{stun.BindingRequest, stun.NewUsername("a:b"), integrity, stun.Fingerprint}, {stun.BindingRequest, integrity}, {stun.BindingSuccess}, {stun.BindingError},
		{stun.NewType(stun.MethodAllocate, stun.ClassRequest)}, {stun.NewType(stun.MethodData, stun.ClassIndication)}, {stun.NewType(stun.MethodBinding, stun.ClassIndication)},
	} {
		m, err := stun.Build(append([]stun.Setter{stun.TransactionID}, setters...)...)
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, m.Raw, m.Raw[:len(m.Raw)-1])
	}
	for first := 0; first < 256; first += 4 { // all protocols that may share a port (RFC 9443)
		words = append(words, []byte{byte(first)})
	}
	for _, first := range []byte{0x00, 0x14, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x40, 0x80, 0xc0} { // and our own
		words = append(words, append([]byte{first}, bytes.Repeat([]byte{1}, 1199)...))
	}
	return words // all of them fit in what a socket has by default for what waits
}
