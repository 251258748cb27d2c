package transport

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
)

// A target is one way to reach a server.
type target struct {
	addr      string // host:port
	directTLS bool
}

const (
	lookupTimeout  = 5 * time.Second
	connectTimeout = 10 * time.Second // for each target
	maxTargets     = 8
	defaultPort    = "5222"
)

// targets lists the ways to reach the server of an account, the best first:
// an explicit setting, or the SRV records _xmpps-client and _xmpp-client mixed by
// priority (RFC 6120, 3.2.1; XEP-0368), or the domain itself.
func targets(ctx context.Context, dns *net.Resolver, server string, domain jid.JID) ([]target, error) {
	if server != "" {
		return explicitTarget(server)
	}
	fallback := []target{{addr: net.JoinHostPort(domain.Domainpart(), defaultPort)}}
	if net.ParseIP(domain.Domainpart()) != nil || domain.Domainpart() == "localhost" {
		return fallback, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	type record struct {
		*net.SRV
		directTLS bool
	}
	var records []record
	refused := false
	for _, service := range []string{"xmpps-client", "xmpp-client"} {
		_, found, err := dns.LookupSRV(ctx, service, "tcp", domain.Domainpart())
		if err != nil {
			continue // no record, or no answer: the domain itself is tried, and its failure told
		}
		for _, srv := range found {
			if srv.Target == "." {
				refused = true
				continue
			}
			records = append(records, record{srv, service == "xmpps-client"})
		}
	}
	switch {
	case len(records) == 0 && refused: // RFC 6120, 3.2.1
		return nil, fmt.Errorf("the DNS of %s says that it has no xmpp server", domain.Domainpart())
	case len(records) == 0:
		return fallback, nil
	}
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.Priority, b.Priority) })
	var list []target
	for _, r := range records[:min(len(records), maxTargets)] {
		host := strings.TrimSuffix(r.Target, ".")
		list = append(list, target{net.JoinHostPort(host, strconv.Itoa(int(r.Port))), r.directTLS})
	}
	return list, nil
}

func explicitTarget(server string) ([]target, error) {
	addr, directTLS := strings.CutPrefix(server, "tls://")
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, fmt.Errorf("server %q isn't host:port or tls://host:port", server)
	}
	return []target{{addr, directTLS}}, nil
}

// connect opens a TCP connection to the first target that answers. Addresses of one
// target race each other (RFC 8305, by package net).
func connect(ctx context.Context, list []target) (net.Conn, target, error) {
	var last error
	for _, t := range list {
		dialer := net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", t.addr)
		if err == nil {
			return conn, t, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, target{}, last
}
