package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

const (
	// addressEvery is how often to look whether this machine still has the address of the link to the server, while there are connections.
	addressEvery = time.Second
	// idleAddressEvery is the same while there are none.
	idleAddressEvery = 10 * time.Second
)

var errMoved = errors.New("this machine has another address now")

// watchAddress ends a link whose local address the machine has no more: TCP would be silent for long.
func (s *session) watchAddress(ctx context.Context, local net.Addr) error {
	tcp, ok := local.(*net.TCPAddr)
	if !ok {
		return nil
	}
	ours := tcp.AddrPort().Addr().Unmap().WithZone("")
	ticker := time.NewTicker(addressEvery)
	defer ticker.Stop()
	looked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if !s.handler.busy() && time.Since(looked) < idleAddressEvery {
			continue
		}
		looked = time.Now()
		if all, err := net.InterfaceAddrs(); err == nil && !among(ours, all) {
			return errMoved
		}
	}
}

// among tells whether an address is one of an interface's.
func among(ours netip.Addr, all []net.Addr) bool {
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Unmap().WithZone("") == ours {
			return true
		}
		if ours.IsLoopback() && err == nil && prefix.Addr().IsLoopback() && prefix.Contains(ours) {
			return true // as 127.0.0.2, which no interface has by itself
		}
	}
	return false
}
