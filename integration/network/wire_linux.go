package network

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// command runs a program of iproute2's or nftables' in the namespace, with what it reads, if anything. It fails the test if the program fails,
// and skips it if the program isn't there.
func (n *Namespace) command(input, name string, args ...string) {
	n.tb.Helper()
	path, err := lookUp(name)
	if err != nil {
		missing(n.tb, err)
	}
	n.Do(func() {
		cmd := exec.CommandContext(n.tb.Context(), path, args...)
		cmd.Stdin = strings.NewReader(input)
		if out, err := cmd.CombinedOutput(); err != nil {
			n.tb.Fatalf("%s: %v: %s", strings.Join(cmd.Args, " "), err, out)
		}
	})
}

// lookUp finds a program, also where an ordinary user's PATH doesn't lead.
func lookUp(name string) (path string, err error) {
	if path, err = exec.LookPath(name); err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	return path, err
}

// ip runs ip(8), a command a line.
func (n *Namespace) ip(lines ...string) {
	n.tb.Helper()
	n.command(strings.Join(lines, "\n")+"\n", "ip", "-batch", "-")
}

// ip6 is ip for routes of IPv6.
func (n *Namespace) ip6(line string) {
	n.tb.Helper()
	n.command(line+"\n", "ip", "-6", "-batch", "-")
}

// nft runs nft(8) with a script.
func (n *Namespace) nft(script string) {
	n.tb.Helper()
	n.command(script, "nft", "-f", "-")
}

// setting sets a variable of sysctl(8) below net.
func (n *Namespace) setting(name, value string) {
	n.tb.Helper()
	var err error
	n.Do(func() { err = os.WriteFile("/proc/sys/net/"+name, []byte(value), 0) })
	if err != nil {
		n.tb.Fatal(err)
	}
}

// forwards makes the namespace a router.
func (n *Namespace) forwards() {
	n.tb.Helper()
	n.setting("ipv4/ip_forward", "1")
	n.setting("ipv6/conf/all/forwarding", "1")
}

// path is where the namespace can be found by a process that this one starts.
func (n *Namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.file.Fd()) }

// A wireEnd is one end of a wire.
type wireEnd struct {
	in        *Namespace
	device    string
	addresses []netip.Prefix
}

// connectWire joins two namespaces by a pair of Ethernet devices (veth(4)), on which neither end waits to see whether an address is taken.
func connectWire(a, b wireEnd, mtu int) {
	a.in.tb.Helper()
	a.in.ip(fmt.Sprintf("link add name %s mtu %d type veth peer name %s mtu %d netns %s", a.device, mtu, b.device, mtu, b.in.path()))
	for _, end := range []wireEnd{a, b} {
		end.in.setting("ipv6/conf/"+end.device+"/accept_dad", "0")
		lines := []string{"link set dev " + end.device + " up"}
		for _, address := range end.addresses {
			lines = append(lines, "address add "+address.String()+" dev "+end.device)
		}
		end.in.ip(lines...)
	}
}

// limit holds what leaves by a device to a rate, in bits per second.
func (n *Namespace) limit(device string, rate int) {
	n.tb.Helper()
	n.command("", "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", strconv.Itoa(rate)+"bit", "burst", "256kb", "latency", "50ms")
}
