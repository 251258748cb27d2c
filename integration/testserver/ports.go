package testserver

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// portTries is how often a server is started anew on other ports because
// somebody else took one between our choice and the server's bind.
const portTries = 5

// errPortTaken says that a server could not bind a port we chose for it.
var errPortTaken = errors.New("port is taken")

// freePorts returns n different TCP ports of 127.0.0.1 that nobody listens on.
// They are free when it looks, not reserved.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("choose a port: %w", err)
		}
		defer l.Close() //nolint:errcheck // all stay open until every port is chosen, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// loopback returns the address of a port on 127.0.0.1.
func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
