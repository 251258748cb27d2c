package testserver

import (
	"encoding/xml"
	"os/exec"
	"strconv"
	"testing"

	"mellium.im/xmlstream"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// services is an answer to a question for services (XEP-0215).
type services struct {
	Services []struct {
		Type     string `xml:"type,attr"`
		Host     string `xml:"host,attr"`
		Port     int    `xml:"port,attr"`
		Username string `xml:"username,attr"`
		Password string `xml:"password,attr"`
	} `xml:"urn:xmpp:extdisco:2 service"`
}

// proxy is a proxy's answer to the question for its address (XEP-0065, 4).
type proxy struct {
	Host struct {
		Host string `xml:"host,attr"`
		Port int    `xml:"port,attr"`
	} `xml:"http://jabber.org/protocol/bytestreams streamhost"`
}

// A Prosody tells a client who logs in of a TURN server, with a password that is good for a relayed address, and of its own proxy.
func TestOfferedServices(t *testing.T) {
	ctx := testContext(t)
	turn := NewTURN(t, Place{})
	s := startServer(ctx, t, Prosody, Options{TURN: turn, Proxy: true})
	alice := Login(ctx, t, s, "alice", false)
	ask := func(to string, question xml.Name, answer any) {
		t.Helper()
		payload := xmlstream.Wrap(nil, xml.StartElement{Name: question})
		if err := alice.UnmarshalIQElement(ctx, payload, stanza.IQ{Type: stanza.GetIQ, To: jid.MustParse(to)}, answer); err != nil {
			t.Fatal(err)
		}
	}
	var offered services
	ask(s.Domain, xml.Name{Space: "urn:xmpp:extdisco:2", Local: "services"}, &offered)
	relays := 0
	for _, o := range offered.Services {
		if o.Host != turn.Host || o.Port != turn.Port {
			t.Errorf("offered: %+v", o)
		}
		if o.Type != "turn" {
			continue
		}
		relays++
		// One packet to ourselves by way of a relayed address.
		out, err := exec.CommandContext(ctx, "turnutils_uclient", "-u", o.Username, "-w", o.Password, "-p", strconv.Itoa(o.Port), "-y", "-c", "-n", "1", "-m", "1", o.Host).CombinedOutput()
		if err != nil {
			t.Errorf("turnutils_uclient: %v: %s", err, out)
		}
	}
	if relays == 0 {
		t.Errorf("no TURN among %+v", offered.Services)
	}
	var at proxy
	ask("proxy."+s.Domain, xml.Name{Space: "http://jabber.org/protocol/bytestreams", Local: "query"}, &at)
	if got := hostPort(at.Host.Host, at.Host.Port); got != s.proxyAddr {
		t.Errorf("the proxy is at %s, want %s", got, s.proxyAddr)
	}
}
