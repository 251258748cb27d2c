package direct

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

// A Server is a STUN or TURN server.
type Server struct {
	TURN               bool
	TLS                bool
	TCP                bool // how we reach it
	Host               string
	Port               int
	Username, Password string // of TURN
}

// String is the server as a URI (RFC 7064, RFC 7065), without who we are.
func (s Server) String() string {
	scheme := "stun"
	if s.TURN {
		scheme = "turn"
	}
	if s.TLS {
		scheme += "s"
	}
	text := scheme + ":" + net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	if s.TCP && s.TURN {
		text += "?transport=tcp"
	}
	return text
}

// maxServers is how many servers are asked.
const maxServers = 8

// urls are the servers for pion, without those that it could do nothing with.
func urls(servers []Server) (list []*stun.URI) {
	for _, s := range servers {
		if s.TURN && (s.Username == "" || s.Password == "") || !s.TURN && (s.TCP || s.TLS) || len(list) == maxServers {
			continue
		}
		u := &stun.URI{Scheme: stun.SchemeTypeSTUN, Host: s.Host, Port: s.Port, Proto: stun.ProtoTypeUDP, Username: s.Username, Password: s.Password}
		if s.TURN {
			u.Scheme = stun.SchemeTypeTURN
		}
		if s.TLS {
			u.Scheme = stun.SchemeTypeTURNS
		}
		if s.TCP {
			u.Proto = stun.ProtoTypeTCP
		}
		list = append(list, u)
	}
	return list
}

// resolveWithin is how long the names of servers are looked up.
const resolveWithin = time.Second

// resolve looks up the names of servers, since pion does so without a limit. Of those over TLS the name stays, which their certificate has.
func resolve(ctx context.Context, servers []Server) (resolved []Server) {
	ctx, cancel := context.WithTimeout(ctx, resolveWithin)
	defer cancel()
	found := make([][]netip.Addr, len(servers))
	var tasks sync.WaitGroup
	for i, s := range servers {
		tasks.Go(func() { found[i], _ = net.DefaultResolver.LookupNetIP(ctx, "ip", s.Host) }) // what isn't found isn't used
	}
	tasks.Wait()
	for i, s := range servers {
		if s.TLS && len(found[i]) > 0 {
			resolved = append(resolved, s)
			continue
		}
		var had [2]bool // IPv4, IPv6: one of each will do
		for _, addr := range found[i] {
			family := 0
			if addr.Unmap().Is6() {
				family = 1
			}
			if !had[family] {
				had[family] = true
				s.Host = addr.Unmap().String()
				resolved = append(resolved, s)
			}
		}
	}
	return resolved
}
