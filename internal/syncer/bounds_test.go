package syncer_test

import (
	"fmt"
	"testing"
	"time"

	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/protocol"
)

// remembered is the most names that may be kept of what one peer's repository said.
const remembered = 5 << 17

// Names that a peer makes up don't fill the memory, whatever it says and however often.
func TestMadeUpNames(t *testing.T) {
	w := newWorld(t)
	alice := w.peer("alice", 1, nothing).grant(peers.Write)
	begin := make(chan struct{})
	defer close(begin)
	w.turn = w.waitTurn(begin)
	w.start()
	alice.announce(uuid1)
	w.syncer.Requested(w.uuid, alice.key, uuid1, []string{"refs/heads/main"})
	get(t, "push", w.pushes)
	for i := range 5000 {
		var refs []string
		var tips []repo.Tip
		for j := range protocol.MaxTips {
			name := fmt.Sprintf("refs/heads/%d-%d", i, j)
			refs, tips = append(refs, name), append(tips, repo.Tip{Ref: name, ID: uuid1})
		}
		w.syncer.Requested(w.uuid, alice.key, uuid1, refs)
		w.syncer.Offered(t.Context(), w.uuid, alice.key, uuid1, tips)
	}
	if n := w.syncer.Remembered(); n > remembered {
		t.Errorf("%d names are kept", n)
	}
}

// Clones that never answer don't keep those of others waiting, however many one peer has announced.
func TestMuteClones(t *testing.T) {
	w := newWorld(t)
	mute := w.peer("alice", 1, nil).grant(peers.Read)
	w.start()
	for i := range 20 {
		mute.announce(fmt.Sprintf("%s%04d", uuid1[:32], i+100))
	}
	carol := w.peer("carol", 2, nothing).grant(peers.Read)
	w.commit("new") // for all of them
	await(t, "the mute ones are talked to", func() bool { return len(mute.conns) > 0 })
	began := time.Now()
	carol.announce(uuid2)
	carol.hears("offer", offers("newer", w.commit("newer")))
	if took := time.Since(began); took > deadline/2 { // the mute ones have twice that for their hello
		t.Errorf("after %v", took)
	}
}
