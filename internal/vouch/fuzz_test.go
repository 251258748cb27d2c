package vouch_test

import (
	"bytes"
	"testing"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/vouch"
	"git-remote-xmpp/protocol"
)

// Whatever a machine of the account says of others: the store stays one that is let through, nobody has more than that machine, and nothing is said of us or of it.
func FuzzSaid(f *testing.F) {
	frames := func(messages ...protocol.Message) (b []byte) {
		for _, m := range messages {
			var err error
			if b, err = protocol.Append(b, m); err != nil {
				f.Fatal(err)
			}
		}
		return b
	}
	entry := protocol.Shared{Repository: proj, Key: guest[:], Address: alice, Resource: "git-0123456789abcdef", Access: protocol.MayWrite, Label: "guest", Pinned: true}
	f.Add(frames(&protocol.Hello{Major: protocol.Major, Vouches: []protocol.Vouch{{Key: guest[:], Resource: entry.Resource, Label: "third"}}}))
	f.Add(frames(&protocol.Hello{Major: protocol.Major, Shares: 1}, &protocol.Share{Entries: []protocol.Shared{entry, entry}}))
	f.Add(frames(&protocol.Hello{Major: protocol.Major, Shares: 2}, &protocol.Share{}, &protocol.Hello{Major: protocol.Major}))
	f.Add(frames(&protocol.Hello{Major: protocol.Major, Vouches: []protocol.Vouch{{Key: laptop[:], Resource: entry.Resource}, {Key: desktop[:], Resource: entry.Resource}}}))
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := protocol.NewReader(bytes.NewReader(wire))
		m, err := r.Next()
		hello, ok := m.(*protocol.Hello)
		if err != nil || !ok || len(hello.Vouches) == 0 && hello.Shares == 0 {
			return
		}
		said, err := vouch.Read(hello, r)
		if err != nil {
			return
		}
		side := home(t, laptop, desktop, proj, clone)
		must(t, side.Store.SetAccess(t.Context(), desktop, []string{proj}, peers.Read))
		before, err := side.Store.ByKey(desktop)
		must(t, err)
		must(t, side.Heed(t.Context(), said))
		must(t, side.Store.Check())
		list, err := side.Store.List()
		must(t, err)
		if len(list) > 1+protocol.MaxVouches+protocol.MaxShareFrames*protocol.MaxShared {
			t.Fatalf("%d peers", len(list))
		}
		for _, p := range list {
			if p.Key == laptop || p.Key == desktop && (len(p.Vouches) > 0 || p.Label != before.Label) {
				t.Fatalf("it says of us, or itself, %+v", p)
			}
			for _, id := range []string{proj, clone} {
				if right := side.Store.Right(p.Key, id); right.Access > side.Store.Right(desktop, id).Access {
					t.Fatalf("%s may %v, and its voucher doesn't", p.Key, right)
				}
			}
		}
	})
}
