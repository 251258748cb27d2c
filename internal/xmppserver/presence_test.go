package xmppserver

import (
	"testing"
)

// expectPresence reads one presence.
func (p *peer) expectPresence(from, typ string) {
	p.t.Helper()
	n := p.next()
	if n.XMLName.Local != "presence" || n.attr("from") != from || n.attr("type") != typ {
		p.t.Fatalf("%s: got %+v, want presence %q from %s", p.jid, n, typ, from)
	}
	if to := n.attr("to"); to != "" && to != p.jid {
		p.t.Fatalf("%s: presence for %s", p.jid, to)
	}
}

// expectQuiet checks that nothing has come.
func (p *peer) expectQuiet() {
	p.t.Helper()
	if got := p.sync(); len(got) != 0 {
		p.t.Fatalf("%s: got %+v, want nothing", p.jid, got)
	}
}

func TestPresence(t *testing.T) {
	s := serve(t, func(c *Config) { c.Subscriptions = [][2]string{{"alice", "bob"}} })
	alice, bob, carol := join(t, s, "alice", "a"), join(t, s, "bob", "b"), join(t, s, "carol", "c")
	second := join(t, s, "alice", "second")
	carol.comeOnline()

	bob.send("<presence><status>here</status></presence>")
	bob.expectPresence(bob.jid, "")
	alice.expectQuiet() // not online itself

	alice.send("<presence/>")
	for range 2 { // in no particular order
		n := alice.next()
		switch n.attr("from") {
		case alice.jid:
		case bob.jid:
			if n.child("status").Text != "here" {
				t.Errorf("lost the status: %+v", n)
			}
		default:
			t.Fatalf("got %+v", n)
		}
	}
	bob.expectPresence(alice.jid, "")

	second.comeOnline()
	alice.expectPresence(second.jid, "")
	bob.expectPresence(second.jid, "")

	alice.send("<presence type='unavailable'/>")
	alice.expectPresence(alice.jid, "unavailable")
	bob.expectPresence(alice.jid, "unavailable")
	second.expectPresence(alice.jid, "unavailable")

	second.conn.Close()
	bob.expectPresence(second.jid, "unavailable")
	alice.expectQuiet()
	carol.expectQuiet() // nobody's contact
}

func TestUpdateIsNotInitial(t *testing.T) {
	s := serve(t, nil)
	alice, bob := join(t, s, "alice", "a"), join(t, s, "bob", "b")
	bob.comeOnline()
	alice.comeOnline()
	alice.send("<presence><show>away</show></presence>")
	alice.expectPresence(alice.jid, "")
	alice.expectQuiet()
	bob.expectPresence(alice.jid, "")
	bob.expectPresence(alice.jid, "")
}

func TestDirectedPresence(t *testing.T) {
	s := serve(t, func(c *Config) { c.Subscriptions = [][2]string{} })
	alice, bob, carol := join(t, s, "alice", "a"), join(t, s, "bob", "b"), join(t, s, "carol", "c")
	alice.send("<presence to='%s'/>", bob.jid)
	bob.expectPresence(alice.jid, "")
	alice.send("<presence to='%s'/>", carol.jid)
	carol.expectPresence(alice.jid, "")
	alice.send("<presence to='%s' type='unavailable'/>", carol.jid)
	carol.expectPresence(alice.jid, "unavailable")
	alice.conn.Close()
	bob.expectPresence(alice.jid, "unavailable")
	carol.expectQuiet()
}

func TestDirectedToSomeoneWhoLeft(t *testing.T) {
	s := serve(t, nil)
	alice, bob := join(t, s, "alice", "a"), join(t, s, "bob", "b")
	alice.send("<presence to='%s'/>", bob.jid)
	bob.expectPresence(alice.jid, "")
	bob.send("</stream:stream>")
	if _, err := bob.read(); err == nil {
		t.Fatal("the stream goes on")
	}
	again := join(t, s, "bob", "b")
	alice.send("</stream:stream>")
	if _, err := alice.read(); err == nil {
		t.Fatal("the stream goes on")
	}
	again.expectQuiet() // never got presence
}

func TestConflict(t *testing.T) {
	s := serve(t, nil)
	bob := join(t, s, "bob", "b")
	bob.comeOnline()
	first := join(t, s, "alice", "same")
	first.comeOnline()
	bob.expectPresence(first.jid, "")
	second := join(t, s, "alice", "same")
	if second.jid != first.jid {
		t.Fatalf("bound %s and %s", first.jid, second.jid)
	}
	first.expectEnd("conflict")
	bob.expectPresence(first.jid, "unavailable")
	bob.send("<message to='%s' id='1'/>", second.jid)
	if n := second.next(); n.attr("id") != "1" {
		t.Fatalf("got %+v", n)
	}
	second.comeOnline()
	bob.expectPresence(second.jid, "")
}
