package transport_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/transport"
	"mellium.im/xmpp/jid"
)

const (
	// maxHostileGrowthBytes is how much more memory the process may take, with the server that plays and the attacks themselves, than before it was attacked.
	maxHostileGrowthBytes = 64 << 20
	// maxHostileTime is how long one attack may keep an endpoint busy.
	maxHostileTime = 5 * time.Second

	payloadOpen = "<p xmlns='" + transport.NS + "'>"
)

// attacks are what a server could send, and whether it ends the link; what doesn't is ignored.
var attacks = map[string]struct {
	text string
	ends bool
}{
	"doctype":                 {"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>", true},
	"entity bomb in a stanza": {"<message from='bob@localhost/b' type='headline'><!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>]><x>&a;&a;</x></message>", true},
	"unknown entity":          {"<presence from='bob@localhost/b'>&lol;</presence>", true},
	"entity in an attribute":  {"<presence from='&lol;'/>", true},
	"external entity":         {"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>", true},
	"number of no character":  {"<presence from='bob@localhost/b'>&#0;</presence>", true},
	"instruction":             {"<?xml-stylesheet href='x'?>", true},
	"comment":                 {"<!-- x -->", true},
	"text":                    {"hello", true},
	"invalid UTF-8":           {"<presence from='bob@localhost/\xff\xfe'/>", true},
	"invalid UTF-8 in text":   {"<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'>\xc3\x28</ping></iq>", true},
	"NUL":                     {"<presence from='bob@localhost/b'>\x00</presence>", true},
	"unclosed":                {"<message type='headline'></presence>", true},
	"deep nesting":            {strings.Repeat("<a>", 100_000) + strings.Repeat("</a>", 100_000) + " ", true},
	"deep in a message":       {"<message type='headline'>" + strings.Repeat("<a>", 60_000) + strings.Repeat("</a>", 60_000) + "</message>", false},
	"deep in an iq":           {"<iq type='get' id='1'>" + strings.Repeat("<a>", 60_000) + strings.Repeat("</a>", 60_000) + "</iq>", false},
	"deep in a presence":      {"<presence>" + strings.Repeat("<a>", 60_000) + strings.Repeat("</a>", 60_000) + "</presence>", false},
	"deep, never closed":      {"<message type='headline'>" + strings.Repeat("<a>", 200_000), true},
	"deep namespaces":         {"<message type='headline'>" + strings.Repeat("<a xmlns='x' xmlns:b='y'>", 15_000) + strings.Repeat("</a>", 15_000) + "</message>", false},
	"huge attribute":          {"<message type='" + strings.Repeat("x", 600_000) + "'/>", true},
	"large attribute":         {"<message type='headline' from='" + strings.Repeat("x", 400_000) + "'>" + payloadOpen + "AAAA</p></message>", false},
	"huge name":               {"<" + strings.Repeat("x", 600_000) + "/>", true},
	"many attributes":         {"<presence " + strings.Repeat("a='' ", 90_000) + "/>", false},
	"many namespaces":         {"<presence " + manyNamespaces(20_000) + "/>", false},
	"many children":           {"<iq type='error' id='q1'><error>" + strings.Repeat("<a/>", 100_000) + "</error></iq>", false},
	"many payloads":           {"<message type='headline' from='bob@localhost/b'>" + strings.Repeat(payloadOpen+"AAAA</p>", 8_000) + "</message>", false},
	"endless text":            {"<message type='headline'><x>" + strings.Repeat("x", 600_000), true},
	"endless space":           {strings.Repeat(" ", 4_000_000), true},
	"wrong namespace":         {"<message xmlns='jabber:server' type='headline'>" + payloadOpen + "AAAA</p></message>", false},
	"bound prefix":            {"<c:message xmlns:c='jabber:client' xmlns:s='" + transport.NS + "' type='headline'><s:p>AAAA</s:p></c:message>", false},
	"xmlns of nothing":        {"<iq type='get' id='1'><ping xmlns=''/></iq>", false},
	"xml prefix":              {"<presence xmlns:xml='jabber:client' from='bob@localhost/b'/>", false},
	"error of a stream":       {"<error xmlns='jabber:client'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>", false},
	"iq of no type":           {"<iq id='1'><ping xmlns='urn:xmpp:ping'/></iq>", false},
	"result nobody asked for": {"<iq type='result' id='q77'/>", false},
	"set":                     {"<iq type='set' id='1' from='localhost'><ping xmlns='urn:xmpp:ping'/></iq>", false},
	"bound again":             {"<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>mallory@localhost/x</jid></bind></iq>", false},
	"TLS again":               {"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", false},
	"login again":             {"<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>", false},
	"challenge":               {"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj14</challenge>", false},
}

func manyNamespaces(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "xmlns:n%d='u' ", i)
	}
	return b.String()
}

// Whatever xml a server sends does nothing but end the link, or is ignored, in bounded memory and time. The password goes out for a login, and for nothing else.
func TestHostileXML(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for name, attack := range attacks {
		result := make(chan bool, 1)
		f := newFake(t, goodCert(t), func(c *talk) {
			if c.login() && c.number == 1 {
				go c.say(attack.text + "<iq type='get' id='probe' from='localhost'><ping xmlns='urn:xmpp:ping'/></iq>") // ends with the connection
				result <- c.await("id='probe'")
			}
			ask(c)
		})
		cfg := f.config(t)
		cfg.Serve, cfg.Admit = true, jid.MustParse("bob@localhost").Equal
		e, err := transport.Start(t.Context(), cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		select {
		case lives := <-result:
			if lives == attack.ends {
				t.Errorf("%s: the link lives: %v", name, lives)
			}
		case <-time.After(maxHostileTime):
			t.Errorf("%s: neither an answer nor an end after %v", name, maxHostileTime)
		}
		if e.Err() != nil || e.JID().String() != "alice@localhost/git-a" {
			t.Errorf("%s: %v, %v", name, e.Err(), e.JID())
		}
		if _, inside, came := f.told(); strings.Count(inside, "<auth") > came {
			t.Errorf("%s: %q", name, inside)
		}
		f.end()
		e.Close()
		runtime.GC() // of this attack nothing is to count for the next
	}
	runtime.ReadMemStats(&after)
	growth := int64(after.HeapSys) - int64(before.HeapSys)
	t.Logf("the heap has grown by %d KiB", growth>>10)
	if growth > maxHostileGrowthBytes {
		t.Errorf("the heap has grown by %d bytes", growth)
	}
}

// A server that says nothing any more, or one byte at a time, in the middle of a login, doesn't hold it up for longer than a login may take.
func TestSlowLogin(t *testing.T) {
	t.Parallel()
	f := newFake(t, goodCert(t), func(c *talk) {
		if c.secure() && c.say(header) {
			for c.say(" ") {
				time.Sleep(50 * time.Millisecond)
			}
		}
	})
	began := time.Now()
	if _, err := transport.Start(t.Context(), f.config(t)); err == nil || !strings.Contains(err.Error(), "no answer within 30s") {
		t.Error(err)
	}
	if took := time.Since(began); took > 35*time.Second {
		t.Errorf("it took %v", took)
	}
}
