package syncer_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/protocol"
)

// A peer behind a remote is told who we are, asked, and offered what there is; what it wants gets its turn, and what is new is offered by itself.
func TestOffer(t *testing.T) {
	w := newWorld(t)
	wants := func(m protocol.Message) []protocol.Message {
		if offer, ok := m.(*protocol.CanPush); ok && offer.Refs[0] == "refs/heads/wanted" {
			return []protocol.Message{&protocol.PushRequest{From: offer.To, To: offer.From, Refs: []string{"refs/heads/wanted", "refs/heads/../x", "refs/heads/nowhere"}}}
		}
		return nothing(m)
	}
	alice := w.peer("alice", 1, wants).remote("origin")
	w.start()
	announce := alice.hears("announcement", func(m protocol.Message) bool { return m.Type() == protocol.TypeAnnounce }).(*protocol.Announce)
	if announce.From != w.uuid || announce.Repository != "there" {
		t.Errorf("%+v", announce)
	}
	alice.hears("question", isAsk)
	alice.hears("offer", offers("main", w.git("-C", w.dir, "rev-parse", "main")))
	alice.hears("offer of what is new", offers("wanted", w.commit("wanted")))
	if p := get(t, "push", w.pushes); p.Client != uuid1 || p.Peer.Key != alice.key || p.To != alice.endpoint.JID().String() {
		t.Errorf("%+v", p)
	}
}

// All that may happen at once does: for the race detector, and nothing is left behind.
func TestEverythingAtOnce(t *testing.T) {
	w := newWorld(t)
	alice := w.peer("alice", 1, nothing).remote("origin").grant(peers.Write)
	carol := w.peer("carol", 2, nothing).remote("other")
	w.start()
	var tasks sync.WaitGroup
	for _, do := range []func(i int){
		func(int) { w.syncer.Linked() },
		func(int) { _ = w.syncer.Refresh(t.Context()) },
		func(int) {
			w.syncer.Presence(alice.endpoint.JID(), false)
			w.syncer.Presence(alice.endpoint.JID(), true)
		},
		func(int) { alice.announce(uuid1) },
		func(i int) { w.syncer.Requested(w.uuid, carol.key, uuid1, []string{fmt.Sprint("refs/heads/b", i)}) },
		func(i int) { w.commit(fmt.Sprint("b", i)) },
		func(int) { w.syncer.Status(t.Context()) },
		func(int) {
			w.syncer.Receiving(w.uuid, alice.key, uuid1, true)
			w.syncer.Received(w.uuid, alice.key, uuid1)
		},
		func(int) { _, _ = w.syncer.Sync(t.Context(), w.uuid, nil) },
		func(i int) {
			_ = w.store.Pin(t.Context(), alice.key, alice.endpoint.JID().Bare().String(), peers.ResourceName([8]byte{byte(i)}), "")
		},
	} {
		tasks.Go(func() {
			for i := range 10 {
				do(i)
			}
		})
	}
	within(t, deadline, "everything", tasks.Wait)
	within(t, 5*time.Second, "Close", w.syncer.Close)
}

// What a peer says that makes no sense ends the conversation, and is the outcome.
func TestNonsense(t *testing.T) {
	other := func(refs ...string) *protocol.CanPush {
		offer := &protocol.CanPush{From: uuid1, Refs: refs, Tips: make([][]byte, len(refs))}
		for i := range refs {
			offer.Tips[i] = make([]byte, 20)
		}
		return offer
	}
	for name, say := range map[string]func(to string) protocol.Message{
		"another's offer":      func(to string) protocol.Message { return &protocol.CanPush{From: uuid2, To: to, More: true} },
		"an offer for another": func(string) protocol.Message { o := other("refs/heads/main"); o.To = uuid2; return o },
		"offers without names": func(to string) protocol.Message {
			return &protocol.CanPush{From: uuid1, To: to, Tips: [][]byte{make([]byte, 20)}}
		},
		"nothing, and more": func(to string) protocol.Message { return &protocol.CanPush{From: uuid1, To: to, More: true} },
		"an announcement":   func(to string) protocol.Message { return &protocol.Announce{From: uuid1, Repository: to} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.peer("alice", 1, func(m protocol.Message) []protocol.Message {
				if isAsk(m) {
					return []protocol.Message{say(w.uuid)}
				}
				return nothing(m)
			}).remote("origin")
			w.start()
			within(t, deadline/3, "Sync", func() {
				outcomes, err := w.syncer.Sync(t.Context(), w.uuid, nil)
				if err != nil || len(outcomes) != 1 || !strings.Contains(outcomes[0].Error, "unexpected frame") {
					t.Errorf("%+v, %v", outcomes, err)
				}
			})
		})
	}
}

// A peer that sends offers without end is stopped.
func TestEndlessOffers(t *testing.T) {
	w := newWorld(t)
	w.peer("alice", 1, func(m protocol.Message) []protocol.Message {
		if !isAsk(m) {
			return nothing(m)
		}
		var all []protocol.Message
		for i := range 1<<17/protocol.MaxTips + 2 {
			offer := &protocol.CanPush{From: uuid1, To: w.uuid, More: true}
			for j := range protocol.MaxTips {
				offer.Refs = append(offer.Refs, fmt.Sprintf("refs/heads/%d-%d", i, j))
				offer.Tips = append(offer.Tips, make([]byte, 20))
			}
			all = append(all, offer)
		}
		return all
	}).remote("origin")
	w.start()
	within(t, deadline, "Sync", func() {
		outcomes, err := w.syncer.Sync(t.Context(), w.uuid, nil)
		if err != nil || len(outcomes) != 1 || !strings.Contains(outcomes[0].Error, "unexpected frame") {
			t.Errorf("%+v, %v", outcomes, err)
		}
	})
}
