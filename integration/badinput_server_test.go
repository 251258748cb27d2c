package integration

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// What keeps us from our own server, and a peer that isn't there, on each real server.
func TestNoWayThere(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newPair(t, s)
		t.Run("wrong password", func(t *testing.T) {
			b := p.bad(3, "log in as alice@localhost: wrong password or no such account", "bob@localhost/proj")
			b.env = []string{"GIT_XMPP_PASSWORD=wr0ng-secret"}
			b.secrets = append(b.secrets, "wr0ng-secret")
			b.check(t)
		})
		t.Run("no such account", func(t *testing.T) {
			b := p.bad(3, "log in as mallory@localhost: wrong password or no such account", "bob@localhost/proj")
			b.env = []string{"GIT_XMPP_ACCOUNT=mallory@localhost"}
			b.check(t)
		})
		t.Run("untrusted certificate", func(t *testing.T) { untrusted(t, p) })
		t.Run("server down", func(t *testing.T) {
			b := p.bad(3, "can't reach the xmpp server of alice@localhost", "bob@localhost/proj")
			b.env = []string{"GIT_XMPP_SERVER=" + closedPort(t)}
			b.check(t)
		})
		t.Run("peer offline", func(t *testing.T) {
			p.daemon.stop()
			b := p.bad(4, "isn't online, or doesn't know us: is git-remote-xmpp serve running there?", "bob@localhost/proj")
			b.within = 3 * time.Second
			b.check(t)
			b.push = true
			b.check(t)
		})
	})
}

// untrusted tries certificates that nobody vouches for, and one for another name, by both ways to TLS.
func untrusted(t *testing.T, p *pair) {
	trust := func(file string) []string {
		return []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=xmpp.sslCAInfo", "GIT_CONFIG_VALUE_0=" + file}
	}
	b := p.bad(3, "the server's certificate isn't signed by an authority that we trust", "bob@localhost/proj")
	b.env = trust("")
	b.check(t)
	b.env = append(trust(""), "GIT_XMPP_SERVER=tls://"+p.server.DirectTLSAddr)
	b.check(t)
	other := "GIT_XMPP_ACCOUNT=alice@example.org"
	b.env, b.line = []string{other, "GIT_XMPP_SERVER=tls://" + p.server.DirectTLSAddr}, "the server's certificate isn't for example.org"
	if p.server.Name == testserver.Prosody { // it doesn't even show one
		b.line = "log in to " + p.server.DirectTLSAddr + " as alice@example.org: remote error: tls: unrecognized name"
	}
	b.check(t)
	b.env, b.line = []string{other}, "log in to "+p.server.Addr+" as alice@example.org: the server closed the stream: host-unknown"
	b.check(t)
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.env, b.status, b.line = trust(empty), 2, "xmpp.sslCAInfo: no certificate in "
	b.check(t)
	b.env, b.line = trust(empty+".missing"), "xmpp.sslCAInfo: "
	b.check(t)
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
