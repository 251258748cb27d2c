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

// freePorts returns n different TCP ports of a host that nobody listens on.
// They are free when it looks, not reserved.
func freePorts(host string, n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp4", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, fmt.Errorf("choose a port: %w", err)
		}
		defer l.Close() //nolint:errcheck // all stay open until every port is chosen, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// hostPort returns the address of a port of a host.
func hostPort(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
