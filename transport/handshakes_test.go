package transport

import (
	"fmt"
	"testing"

	"mellium.im/xmpp/jid"
)

// No session, account or crowd has more handshakes than its limit, and what one has taken keeps no other from its own.
func TestHandshakes(t *testing.T) {
	var h handshakes
	from := func(account, resource int) *peer {
		return newPeer(jid.MustParse(fmt.Sprintf("a%d@example.org/%d", account, resource)))
	}
	begin := func(p *peer, n int) (ends []func()) {
		t.Helper()
		for range n {
			end, ok := h.begin(p)
			if !ok {
				t.Fatalf("%s was refused", p)
			}
			ends = append(ends, end)
		}
		return ends
	}
	refused := func(p *peer) {
		t.Helper()
		if _, ok := h.begin(p); ok {
			t.Errorf("one too many of %s", p)
		}
		if !h.doubt(p) {
			t.Errorf("%s, who has too many, isn't doubted", p)
		}
	}
	if h.doubt(from(0, 0)) {
		t.Error("the first one is doubted")
	}
	ends := begin(from(0, 0), maxPeerHandshakes)
	refused(from(0, 0))
	begin(from(0, 1), maxAccountHandshakes-maxPeerHandshakes)
	refused(from(0, 2))
	ends[0]()
	ends[0]() // once more: it counts once
	begin(from(0, 2), 1)
	refused(from(0, 3))
	for account := range maxHandshakes/maxAccountHandshakes - 1 {
		for resource := range maxAccountHandshakes / maxPeerHandshakes {
			begin(from(account+1, resource), maxPeerHandshakes)
		}
	}
	refused(from(1000, 0))
	ends[1]()
	begin(from(1000, 0), 1)
}
