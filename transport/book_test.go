package transport

import (
	"testing"
	"time"

	"mellium.im/xmpp/jid"
)

// The servers' word that a peer has gone counts, too, if it comes before the connection that its last packets made is known. A peer whose packets
// still come is there.
func TestGoneBeforeItsConnection(t *testing.T) {
	from := jid.MustParse("alice@localhost/git-run-1")
	b := newBook(&Config{LostPeerGrace: time.Hour, Admit: func(jid.JID) bool { return true }}, func(*peer) {})
	defer b.closeAll()
	p := b.sender(from.String())
	if p == nil {
		t.Fatal("not admitted")
	}
	b.present(from, false)
	c := &Conn{peer: p}
	b.add(c)
	if !b.away(p) {
		t.Error("it isn't known that it has gone")
	}
	if nudge := b.present(from, true); b.away(p) || len(nudge) != 1 {
		t.Errorf("it came back, and is away: %v, to be nudged: %d", b.away(p), len(nudge))
	}

	b.present(from, false)
	b.sender(from.String()) // a packet
	b.lost(b.entries[from.String()])
	if b.away(p) {
		t.Error("its packets come, and it counts as away")
	}
	b.remove(c)
	b.add(c)
	if b.away(p) {
		t.Error("its packets came, and it counts as away by an old word")
	}
}
