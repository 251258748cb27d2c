package transport

import "golang.org/x/sys/unix"

// setQuickAck sets TCP_QUICKACK (tcp(7)), which holds for the next acknowledgements only.
var setQuickAck = func(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) // a hint
}
