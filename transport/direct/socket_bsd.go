//go:build darwin || freebsd

package direct

import "golang.org/x/sys/unix"

// tuneSocket has packets not fragmented (RFC 8899): what is too large is lost, and our own probes notice.
func tuneSocket(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_DONTFRAG, 1)
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1)
}
