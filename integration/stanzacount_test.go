package integration

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A stanzaCount stands between one home and its server, and counts what the home sends: the TLS of both sides ends in it.
type stanzaCount struct {
	addr string // what the home takes for its server

	mu       sync.Mutex
	messages int
	presence int
	bytes    map[string]int // of messages, envelope and base64 included, by the full JID that they went to
}

// countStanzas has a home reach its server by a stanzaCount.
func countStanzas(t *testing.T, s *testserver.Server, h *home) *stanzaCount {
	t.Helper()
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(s.CAFile, filepath.Join(s.Dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	upstream := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: s.Domain}
	upstream.RootCAs.AppendCertsFromPEM(ca)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	c := &stanzaCount{addr: listener.Addr().String(), bytes: make(map[string]int)}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close() // which ends accept
		all.Wait()
	})
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.relay(client, s.DirectTLSAddr, upstream) })
		}
	})
	h.git(h.dir, "config", "--global", "xmpp.server", "tls://"+c.addr)
	return c
}

// relay carries one session, until one side ends it.
func (c *stanzaCount) relay(client net.Conn, addr string, config *tls.Config) {
	defer client.Close()
	server, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	copyTags := func(to, from net.Conn, seen func(tag []byte)) {
		defer to.Close()
		r, w := bufio.NewReader(from), bufio.NewWriter(to)
		for {
			tag, err := r.ReadBytes('>')
			seen(tag)
			if _, failed := w.Write(tag); failed != nil || err != nil {
				_ = w.Flush() // the session has ended
				return
			}
			if r.Buffered() == 0 && w.Flush() != nil {
				return
			}
		}
	}
	both.Go(func() { copyTags(server, client, c.counter()) })
	copyTags(client, server, func([]byte) {})
	both.Wait()
}

var messageTo = regexp.MustCompile(` to=["']([^"']*)["']`)

// counter returns what is to be told of every tag of one session, with the text before it.
func (c *stanzaCount) counter() func(tag []byte) {
	var to string
	size := 0
	return func(tag []byte) {
		c.mu.Lock()
		defer c.mu.Unlock()
		size += len(tag)
		switch name := bytes.TrimLeft(tag, " \t\r\n"); {
		case bytes.HasPrefix(name, []byte("<message")):
			c.messages++
			if m := messageTo.FindSubmatch(tag); m != nil {
				to, size = string(m[1]), len(tag)
			}
		case bytes.HasPrefix(name, []byte("<presence")):
			c.presence++
		case bytes.HasSuffix(tag, []byte("</message>")):
			c.bytes[to] += size
		}
	}
}

// sent is how many messages and presences the home has sent, and how many bytes of messages to a full JID.
func (c *stanzaCount) sent(to string) (stanzas, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.messages + c.presence, c.bytes[to]
}
