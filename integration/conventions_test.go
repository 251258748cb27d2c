package integration

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// Whatever an XMPP client may do with any account, besides pushing and fetching, does what people expect of it.
func TestConventions(t *testing.T) {
	t.Parallel()
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newPair(t, s)
		t.Run("strangers are told nothing", p.strangersAreToldNothing)
		t.Run("nobody is subscribed", p.nobodyIsSubscribed)
		t.Run("blocked", func(t *testing.T) {
			p.blocked(t, "alice", "bob@localhost is on the block list of alice@localhost", "take it off there, with any XMPP client")
			p.blocked(t, "bob", p.daemon.jid+" isn't online, or doesn't know us", "is git-remote-xmpp serve running there?")
		})
	})
}

// A reply is an IQ that comes back, as far as it matters here.
type reply struct {
	Type  string `xml:"type,attr"`
	ID    string `xml:"id,attr"`
	Error *struct {
		Type     string                       `xml:"type,attr"`
		Children []struct{ XMLName xml.Name } `xml:",any"`
	} `xml:"error"`
	Roster []struct {
		JID          string `xml:"jid,attr"`
		Subscription string `xml:"subscription,attr"`
		Ask          string `xml:"ask,attr"`
	} `xml:"jabber:iq:roster query>item"`
}

func (r reply) String() string {
	if r.Error == nil {
		return r.Type
	}
	text := r.Type + " " + r.Error.Type
	for _, c := range r.Error.Children {
		if c.XMLName.Local != "text" { // which is the server's
			text += " " + c.XMLName.Local
		}
	}
	return text
}

// client logs a bare client in, until the end of the test.
func (p *pair) client(t *testing.T, user string) *bareClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	c, err := bareLogin(ctx, p.server, user, "any-client")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close() })
	return c
}

// asked sends an IQ and returns what comes back.
func (c *bareClient) asked(t *testing.T, kind, to, payload string) reply {
	t.Helper()
	if to != "" {
		to = "' to='" + to
	}
	if _, err := fmt.Fprintf(c.conn, "<iq type='%s' id='conventions%s'>%s</iq>", kind, to, payload); err != nil {
		t.Fatal(err)
	}
	for {
		start, err := c.next("")
		if err != nil {
			t.Fatal(err)
		}
		var r reply
		if err := c.dec.DecodeElement(&r, &start); err != nil {
			t.Fatal(err)
		}
		if start.Name.Local == "iq" && r.ID == "conventions" && (r.Type == "result" || r.Type == "error") {
			return r
		}
		if start.Name.Local == "presence" && r.Type == "subscribed" {
			t.Error("subscribed")
		}
	}
}

// What a stranger asks of serve is answered as where nobody is.
func (p *pair) strangersAreToldNothing(t *testing.T) {
	carol := p.client(t, "carol")
	for _, payload := range []string{
		"<query xmlns='jabber:iq:version'/>",
		"<query xmlns='http://jabber.org/protocol/disco#info'/>",
		"<query xmlns='http://jabber.org/protocol/disco#items'/>",
		"<query xmlns='http://jabber.org/protocol/disco#info' node='http://jabber.org/protocol/commands'/>",
		"<ping xmlns='urn:xmpp:ping'/>",
		"<time xmlns='urn:xmpp:time'/>",
		"<query xmlns='jabber:iq:last'/>",
		"<vCard xmlns='vcard-temp'/>",
		"<knock xmlns='urn:x-git-remote-xmpp:1'/>",
	} {
		nobody := carol.asked(t, "get", "bob@localhost/git-0000000000000000", payload)
		if got := carol.asked(t, "get", p.daemon.jid, payload); got.Type != "error" || got.String() != nobody.String() {
			t.Errorf("%s: %v; where nobody is: %v", payload, got, nobody)
		}
	}
}

// A request for our presence stays unanswered. What comes from somebody to one address comes in order, so the IQ's answer shows that serve has read it.
func (p *pair) nobodyIsSubscribed(t *testing.T) {
	carol := p.client(t, "carol")
	if _, err := io.WriteString(carol.conn, "<presence/><presence type='subscribe' to='bob@localhost'/><presence type='subscribe' to='"+p.daemon.jid+"'/>"); err != nil {
		t.Fatal(err)
	}
	carol.asked(t, "get", p.daemon.jid, "<ping xmlns='urn:xmpp:ping'/>")
	roster := carol.asked(t, "get", "", "<query xmlns='jabber:iq:roster'/>").Roster
	if len(roster) != 1 || roster[0].JID != "bob@localhost" || roster[0].Subscription != "none" || roster[0].Ask != "subscribe" {
		t.Errorf("carol's roster: %+v", roster)
	}
	if own := p.client(t, "bob").asked(t, "get", "", "<query xmlns='jabber:iq:roster'/>").Roster; len(own) > 1 || len(own) == 1 && own[0].Subscription != "none" {
		t.Errorf("bob's roster: %+v", own)
	}
}

// blocked has one of the two accounts block the other: nothing comes through, and Alice is told at once, until it unblocks it.
func (p *pair) blocked(t *testing.T, by, told, advice string) {
	t.Helper()
	other := map[string]string{"alice": "bob", "bob": "alice"}[by]
	c := p.client(t, by)
	do := func(what string) {
		t.Helper()
		if r := c.asked(t, "set", "", "<"+what+" xmlns='urn:xmpp:blocking'><item jid='"+other+"@localhost'/></"+what+">"); r.Type != "result" {
			t.Fatalf("%s %ss %s: %v", by, what, other, r)
		}
	}
	do("block")
	r := p.alice.try(p.clone, "git", "ls-remote", "origin")
	if line := "git-remote-xmpp: bob@localhost/proj: " + told + ": " + advice + "\n"; r.status != 128 || r.stderr != line || r.stdout != "" {
		t.Errorf("%s has blocked %s: %v, want %s", by, other, r, line)
	}
	if r := p.alice.try(p.clone, "git-remote-xmpp", "sync", "origin"); r.status != 4 || !strings.Contains(r.stderr, told) {
		t.Errorf("%s has blocked %s: sync: %v", by, other, r)
	}
	do("unblock")
	p.alice.git(p.clone, "ls-remote", "origin")
}
