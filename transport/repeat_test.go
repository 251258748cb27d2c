package transport

import (
	"bytes"
	"testing"
	"time"

	"mellium.im/xmpp/jid"
)

// The last payload is sent once more if it is some time ago, once, and only while there is a link. One that is forgotten isn't, and takes no room.
func TestLastPayloadIsRepeated(t *testing.T) {
	o, to := newOutbox(), newPeer(jid.MustParse("bob@localhost/git-b"))
	o.link(true)
	if err := o.packet(to, make([]byte, minPacketBytes)); err != nil {
		t.Fatal(err)
	}
	sent := bytes.Clone(o.take(t.Context(), nil))
	nothing := func(what string) {
		t.Helper()
		o.repeat(to)
		if again, _, _ := o.tryTake(nil); len(again) > 0 {
			t.Errorf("%s: sent again", what)
		}
	}
	nothing("just sent")
	to.lastSent = time.Now().Add(-repeatAfter)
	o.link(false)
	nothing("without a link")
	o.link(true)
	o.repeat(to)
	if again, _, _ := o.tryTake(nil); len(sent) == 0 || !bytes.Equal(again, sent) {
		t.Errorf("sent %d bytes again, want the same %d", len(again), len(sent))
	}
	nothing("sent again already")

	if err := o.packet(to, make([]byte, minPacketBytes)); err != nil {
		t.Fatal(err)
	}
	o.take(t.Context(), nil)
	to.lastSent = time.Now().Add(-repeatAfter)
	o.forget(to)
	nothing("forgotten")
	if cap(to.last) != 0 {
		t.Errorf("%d bytes are kept for a peer that is forgotten", cap(to.last))
	}
	if o.bytes != 0 {
		t.Errorf("%d bytes are counted as waiting", o.bytes)
	}
}

// To a peer that says nothing the last payload is repeated a few times, until there is a later one.
func TestInsist(t *testing.T) {
	o, to := newOutbox(), newPeer(jid.MustParse("bob@localhost/git-b"))
	o.link(true)
	for round := range 2 {
		if err := o.packet(to, make([]byte, minPacketBytes)); err != nil {
			t.Fatal(err)
		}
		sent, times := bytes.Clone(o.take(t.Context(), nil)), 0
		for range 2 * mostInsisting {
			to.lastSent = time.Now().Add(-insistAfter << to.insisted)
			o.insist(to)
			to.lastSent = to.lastSent.Add(-insistAfter)
			o.insist(to) // too soon
			if again, _, _ := o.tryTake(nil); bytes.Equal(again, sent) {
				times++
			}
		}
		if times != mostInsisting {
			t.Errorf("payload %d was repeated %d times, want %d", round, times, mostInsisting)
		}
	}
}

// A connection insists while the peer owes an answer, and not when all has arrived.
func TestInsistOwed(t *testing.T) {
	alice, bob := inBand(t)
	s, err := alice.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.AcceptStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := &alice.peer.pace
	for until := time.Now().Add(10 * time.Second); p.owed(alice.look()); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("what has arrived is owed for good")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.sent++
	p.mu.Unlock()
	if !p.owed(alice.look()) {
		t.Error("what hasn't arrived isn't owed")
	}
}
