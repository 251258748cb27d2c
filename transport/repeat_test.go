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
