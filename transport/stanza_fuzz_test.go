package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"mellium.im/xmpp/jid"
)

// Whatever text of others' goes into a stanza, it comes out of it as text: an id, an address, a node, a status.
func FuzzStanza(f *testing.F) {
	f.Add("q1", "bob@example.org/git-1", "node", "serving")
	f.Add("'/><iq id='", "<message/>", "]]>&amp;", "</status><priority>1</priority>")
	f.Add("\x00\xff\ufffe", "\n\t", "\u2028", "\x1b")
	f.Fuzz(func(t *testing.T, id, to, node, status string) {
		payload, err := discoPayload(&Config{Software: "test"}, clean(node))
		if err != nil {
			t.Fatal(err)
		}
		var q struct {
			ID    string     `xml:"id,attr"`
			To    string     `xml:"to,attr"`
			Attr  []xml.Attr `xml:",any,attr"`
			Query []struct {
				XMLName xml.Name
				Node    string `xml:"node,attr"`
			} `xml:",any"`
		}
		if err := xml.Unmarshal(marshalIQ("get", id, to, payload), &q); err != nil || q.ID != inXML(id) || q.To != inXML(to) || len(q.Attr) != 1 || len(q.Query) != 1 || q.Query[0].Node != inXML(clean(node)) {
			t.Fatalf("%s: %v", marshalIQ("get", id, to, payload), err)
		}
		var p struct {
			Children []struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			} `xml:",any"`
		}
		stanza := presenceStanza(to, "unavailable", presenceContent(status, capsElement(&Config{Software: "test"})))
		if err := xml.Unmarshal(stanza, &p); err != nil || len(p.Children) != 3 || p.Children[0].Text != "-1" || p.Children[1].Text != inXML(status) {
			t.Fatalf("%s: %v", stanza, err)
		}
		if line := (&stanzaError{}).String() + clean(status); len(line) > 300 || strings.ContainsAny(line, "\n\r\x1b\x00\u0085") {
			t.Fatalf("%q", line)
		}
	})
}

// inXML is what XML can carry of a text.
func inXML(s string) string {
	var text struct {
		Text string `xml:",chardata"`
	}
	if err := xml.Unmarshal([]byte("<x>"+escape(s)+"</x>"), &text); err != nil {
		return "not XML: " + err.Error()
	}
	return text.Text
}

// A server that a setting names is one to dial, or refused.
func FuzzExplicitTarget(f *testing.F) {
	for _, text := range []string{"example.org:5222", "tls://[::1]:5223", "tls://", "a:b:c", "[::1]", ":"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, server string) {
		list, err := explicitTarget(server)
		if err != nil {
			return
		}
		if _, _, err := net.SplitHostPort(list[0].addr); err != nil || len(list) != 1 || list[0].directTLS != strings.HasPrefix(server, "tls://") {
			t.Fatalf("%q: %+v", server, list)
		}
	})
}

// Whatever a DNS server answers, there are some targets, not too many, and each is a host and a port.
func FuzzTargets(f *testing.F) {
	record := func(name string) []byte {
		m := answerDNS(mustPack(f, dnsmessage.Message{Questions: []dnsmessage.Question{{
			Name: dnsmessage.MustNewName("_xmpp-client._tcp.example.org."), Type: dnsmessage.TypeSRV, Class: dnsmessage.ClassINET,
		}}}), map[string][]dnsmessage.SRVResource{"_xmpp-client._tcp": {srv(1, 5222, name), srv(1, 0, "b.example.net.")}})
		return m[2:]
	}
	f.Add(record("a.example.net."))
	f.Add(record("."))
	f.Add(record("127.0.0.1."))
	f.Add([]byte{0x84, 0, 0, 1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, answer []byte) {
		if len(answer) > 4096 {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		dns := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return &fuzzDNS{answer: answer}, nil }}
		list, err := targets(ctx, dns, "", jid.MustParse("example.org"))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") || len(list) > 0 {
				t.Fatalf("%+v, %q", list, err)
			}
			return
		}
		if len(list) == 0 || len(list) > maxTargets || ctx.Err() != nil {
			t.Fatalf("%d targets", len(list))
		}
		for _, target := range list {
			host, port, err := net.SplitHostPort(target.addr)
			if n, portErr := strconv.Atoi(port); err != nil || portErr != nil || n < 0 || n > 65535 || host == "" {
				t.Fatalf("%+v", target)
			}
		}
	})
}

func mustPack(f *testing.F, m dnsmessage.Message) []byte {
	f.Helper()
	b, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// A fuzzDNS answers each question, as over TCP, with its id and bytes of somebody's.
type fuzzDNS struct {
	deafConn
	answer []byte
}

func (c *fuzzDNS) Write(question []byte) (int, error) {
	if len(question) < 4 {
		return 0, errors.New("no question")
	}
	reply := append(bytes.Clone(question[2:4]), c.answer...)
	c.in = bytes.NewReader(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return len(question), nil
}

func (*fuzzDNS) Close() error                { return nil }
func (*fuzzDNS) SetDeadline(time.Time) error { return nil }
