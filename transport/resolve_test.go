package transport

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"mellium.im/xmpp/jid"
)

// startDNS answers questions for SRV records, from a table by name, on loopback, and returns a resolver that asks it.
func startDNS(t *testing.T, records map[string][]dnsmessage.SRVResource) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := answerDNS(buf[:n], records); answer != nil {
				_, _ = conn.WriteTo(answer, from) // who asks, asks again
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func answerDNS(question []byte, records map[string][]dnsmessage.SRVResource) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	name := m.Questions[0].Name
	m.Response, m.Additionals = true, nil
	found, ok := records[strings.TrimSuffix(name.String(), ".example.org.")]
	if !ok {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, srv := range found {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET, TTL: 60}, Body: &srv,
		})
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}

func srv(priority, port uint16, host string) dnsmessage.SRVResource {
	return dnsmessage.SRVResource{Priority: priority, Port: port, Target: dnsmessage.MustNewName(host)}
}

func TestTargets(t *testing.T) {
	dns := startDNS(t, map[string][]dnsmessage.SRVResource{
		"_xmpp-client._tcp":       {srv(10, 5222, "b.example.net."), srv(5, 5222, "a.example.net.")},
		"_xmpps-client._tcp":      {srv(7, 443, "c.example.net.")},
		"_xmpp-client._tcp.none":  {srv(0, 0, ".")},
		"_xmpps-client._tcp.only": {srv(0, 5223, "d.example.net.")},
	})
	for account, want := range map[string]string{
		"me@example.org":       "[{a.example.net:5222 false} {c.example.net:443 true} {b.example.net:5222 false}]",
		"me@only.example.org":  "[{d.example.net:5223 true}]",
		"me@none.example.org":  "[]",
		"me@other.example.org": "[{other.example.org:5222 false}]",
		"me@localhost":         "[{localhost:5222 false}]",
		"me@127.0.0.1":         "[{127.0.0.1:5222 false}]",
	} {
		got, err := targets(t.Context(), dns, "", jid.MustParse(account))
		if fmt.Sprint(got) != want || (err != nil) != (want == "[]") {
			t.Errorf("%s: %v, %v, want %s", account, got, err, want)
		}
	}
	for server, want := range map[string]string{
		"xmpp.example.net:5222": "[{xmpp.example.net:5222 false}]", "tls://xmpp.example.net:443": "[{xmpp.example.net:443 true}]", "[::1]:5222": "[{[::1]:5222 false}]", "xmpp.example.net": "[]",
	} {
		got, err := targets(t.Context(), dns, server, jid.MustParse("me@example.org"))
		if fmt.Sprint(got) != want || (err != nil) != (want == "[]") {
			t.Errorf("%s: %v, %v, want %s", server, got, err, want)
		}
	}
}
