package testserver

import "cmp"

// A Place is where a server runs. The zero value is this process's network.
type Place struct {
	// Host is the IPv4 address that the server listens on. Default: loopback.
	Host string
	// Enter calls a function in the network that the server is to be in: what the
	// function itself opens or starts is there. Default: this process's.
	Enter func(func())
}

// in calls f there.
func (p Place) in(f func()) {
	if p.Enter == nil {
		f()
	} else {
		p.Enter(f)
	}
}

// host is the address to listen on.
func (p Place) host() string { return cmp.Or(p.Host, DefaultHost) }
