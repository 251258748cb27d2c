package xmppserver

import (
	"fmt"
	"strconv"
	"testing"
)

func TestOrder(t *testing.T) {
	s := serve(t, nil)
	alice, bob := join(t, s, "alice", "a"), join(t, s, "bob", "b")
	const messages = 5000
	sent := make(chan error, 1)
	go func() {
		for i := range messages {
			_, err := fmt.Fprintf(alice.conn, "<message type='headline' to='bob@localhost/b' id='%d'><x xmlns='urn:test'>%d</x></message>", i, i)
			if err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range messages {
		n := bob.next()
		if n.attr("id") != strconv.Itoa(i) || n.child("x").Text != strconv.Itoa(i) {
			t.Fatalf("message %d is %+v", i, n)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func TestForwardedVerbatim(t *testing.T) {
	s := serve(t, nil)
	alice, bob := join(t, s, "alice", "a"), join(t, s, "bob", "b")
	alice.send("<message xmlns='jabber:client' xml:lang='en' to='bob@localhost/b' from='carol@localhost/c' type='chat'>" +
		"<body>&lt;&#x41;&amp;<![CDATA[<&]]>\u00e9</body><p:x xmlns:p='urn:p' p:y='1' y='2'/></message>")
	n := bob.next()
	if n.attr("from") != "alice@localhost/a" || n.attr("to") != "bob@localhost/b" || n.attr("type") != "chat" {
		t.Errorf("attributes %+v", n.Attrs)
	}
	if got := n.child("body"); got.Text != "<A&<&\u00e9" || got.XMLName.Space != "jabber:client" {
		t.Errorf("body %+v", got)
	}
	if got := n.child("x"); got.XMLName.Space != "urn:p" || len(got.Attrs) != 3 {
		t.Errorf("payload %+v", got)
	}
}

func TestForgedFrom(t *testing.T) {
	s := serve(t, nil)
	bob := join(t, s, "bob", "b")
	alice := join(t, s, "alice", "o&apos;&lt;&amp;")
	const full = "alice@localhost/o'<&"
	if alice.jid != full {
		t.Fatalf("bound %q", alice.jid)
	}
	for _, stanza := range []string{
		"<message from='bob@localhost' to='bob@localhost/b'/>",
		"<message\n\tto='bob@localhost/b'  from = \"carol@localhost/c\" ><from/></message>",
		"<iq id='1' type='set' from='localhost' to='bob@localhost/b'><x xmlns='urn:x'/></iq>",
		"<presence from='' to='bob@localhost/b'/>",
		"<message to='bob@localhost/b' a:from='x' xmlns:a='urn:a'/>",
	} {
		alice.send("%s", stanza)
		n := bob.next()
		if got := n.attr("from"); got != full {
			t.Errorf("%s: from %q", stanza, got)
		}
	}
}

func TestGone(t *testing.T) {
	s := serve(t, nil)
	alice := join(t, s, "alice", "a")
	for _, c := range []struct{ stanza, condition string }{
		{"<iq id='1' type='get' to='bob@localhost/b'><x xmlns='urn:x'/></iq>", "service-unavailable"},
		{"<iq id='1' type='get' to='bob@localhost'><x xmlns='urn:x'/></iq>", "service-unavailable"},
		{"<iq id='1' type='get' to='nobody@localhost/x'><x xmlns='urn:x'/></iq>", "service-unavailable"},
		{"<iq id='1' type='get' to='localhost/x'><x xmlns='urn:x'/></iq>", "service-unavailable"},
		{"<iq id='1' type='result' to='bob@localhost/b'/>", ""},
		{"<iq id='1' type='error' to='bob@localhost/b'/>", ""},
		{"<message id='1' to='bob@localhost/b'/>", "service-unavailable"},
		{"<message id='1' type='normal' to='bob@localhost/b'/>", "service-unavailable"},
		{"<message id='1' type='chat' to='bob@localhost/b'><body/></message>", "service-unavailable"},
		{"<message id='1' type='chat' to='bob@localhost'><body/></message>", "service-unavailable"},
		{"<message id='1' type='groupchat' to='bob@localhost'><body/></message>", "service-unavailable"},
		{"<message id='1' type='headline' to='bob@localhost/b'/>", ""},
		{"<message id='1' type='headline' to='bob@localhost'/>", ""},
		{"<message id='1' type='error' to='bob@localhost/b'/>", ""},
		{"<message id='1' type='chat' to='bob@example.org/b'/>", "remote-server-not-found"},
		{"<message id='1' type='headline' to='bob@example.org/b'/>", ""},
		{"<message id='1' to='@/'/>", "jid-malformed"},
		{"<presence id='1' to='bob@localhost/b'/>", ""},
		{"<presence id='1' type='subscribe' to='bob@localhost'/>", ""},
		{"<presence id='1' type='nonsense'/>", "bad-request"},
		{"<presence id='1'><priority>999</priority></presence>", "bad-request"},
		{"<iq id='1' type='nonsense' to='bob@localhost/b'/>", "bad-request"},
		{"<iq type='get' to='bob@localhost/b'/>", "bad-request"},
	} {
		alice.send("%s", c.stanza)
		got := alice.sync()
		switch {
		case c.condition == "" && len(got) == 0:
		case len(got) == 1 && got[0].attr("type") == "error" && got[0].condition() == c.condition:
		default:
			t.Errorf("%s: got %+v, want %q", c.stanza, got, c.condition)
		}
	}
}

func TestErrorNamesTheAddress(t *testing.T) {
	s := serve(t, nil)
	alice := join(t, s, "alice", "a")
	alice.send("<iq id='q&amp;1' type='get' to='Bob@localhost/b'><x xmlns='urn:x'/></iq>")
	n := alice.next()
	if n.attr("from") != "Bob@localhost/b" || n.attr("to") != alice.jid || n.attr("id") != "q&1" {
		t.Errorf("got %+v", n.Attrs)
	}
	if e := n.child("error"); e.attr("type") != "cancel" || e.Nodes[0].XMLName.Space != "urn:ietf:params:xml:ns:xmpp-stanzas" {
		t.Errorf("error %+v", e)
	}
}

func TestAddressesAreNormalised(t *testing.T) {
	s := serve(t, nil)
	alice, bob := join(t, s, "alice", "a"), join(t, s, "bob", "b")
	alice.send("<message to='BOB@LocalHost/b' id='1'/>")
	if n := bob.next(); n.attr("id") != "1" {
		t.Errorf("got %+v", n)
	}
}

func TestIQBothWays(t *testing.T) {
	s := serve(t, nil)
	alice, bob := join(t, s, "alice", "a"), join(t, s, "bob", "b")
	alice.send("<iq id='1' type='get' to='%s'><q xmlns='urn:q'/></iq>", bob.jid)
	n := bob.next()
	if n.child("q") == nil || n.attr("from") != alice.jid {
		t.Fatalf("got %+v", n)
	}
	bob.send("<iq id='%s' type='result' to='%s'/>", n.attr("id"), n.attr("from"))
	if n := alice.next(); n.attr("type") != "result" || n.attr("from") != bob.jid {
		t.Fatalf("got %+v", n)
	}
}

func TestMessageToAccount(t *testing.T) {
	s := serve(t, nil)
	alice := join(t, s, "alice", "a")
	shy, open := join(t, s, "bob", "shy"), join(t, s, "bob", "open")
	shy.send("<presence><priority>-1</priority></presence>")
	shy.sync()
	open.comeOnline()
	shy.sync()
	alice.send("<message type='chat' to='bob@localhost' id='1'/>")
	if got := alice.sync(); len(got) != 0 {
		t.Errorf("sender got %+v", got)
	}
	if n := open.next(); n.attr("id") != "1" {
		t.Errorf("got %+v", n)
	}
	if got := shy.sync(); len(got) != 0 {
		t.Errorf("a negative priority got %+v", got)
	}
}

func TestServerAnswers(t *testing.T) {
	s := serve(t, func(c *Config) { c.Subscriptions = [][2]string{{"alice", "Bob"}} })
	alice := join(t, s, "alice", "a")
	ask := func(iq string) node {
		t.Helper()
		alice.send("%s", iq)
		return alice.next()
	}
	roster := ask("<iq id='1' type='get'><query xmlns='jabber:iq:roster'/></iq>").child("query")
	if len(roster.Nodes) != 1 || roster.Nodes[0].attr("jid") != "bob@localhost" || roster.Nodes[0].attr("subscription") != "both" {
		t.Errorf("roster %+v", roster)
	}
	disco := ask("<iq id='1' type='get' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>").child("query")
	if id := disco.child("identity"); id.attr("category") != "server" || id.attr("type") != "im" || disco.child("feature") == nil {
		t.Errorf("disco %+v", disco)
	}
	for _, iq := range []string{
		"<iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq id='1' type='get' to='alice@localhost'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq id='1' type='set'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
	} {
		if n := ask(iq); n.attr("type") != "result" || n.attr("id") != "1" {
			t.Errorf("%s: %+v", iq, n)
		}
	}
	for iq, want := range map[string]string{
		"<iq id='1' type='set'><query xmlns='jabber:iq:roster'/></iq>":                                              "service-unavailable",
		"<iq id='1' type='get' to='localhost'><query xmlns='jabber:iq:roster'/></iq>":                               "service-unavailable",
		"<iq id='1' type='get' to='localhost'><query xmlns='urn:what'/></iq>":                                       "service-unavailable",
		"<iq id='1' type='get' to='localhost'/>":                                                                    "bad-request",
		"<iq id='1' type='get' to='localhost'><query node='n' xmlns='http://jabber.org/protocol/disco#info'/></iq>": "item-not-found",
		"<iq id='1' type='get' to='localhost'><a xmlns='urn:a'/><b xmlns='urn:b'/></iq>":                            "bad-request",
	} {
		if n := ask(iq); n.condition() != want {
			t.Errorf("%s: got %q, want %q", iq, n.condition(), want)
		}
	}
}
