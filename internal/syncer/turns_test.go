package syncer

import (
	"log/slog"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"mellium.im/xmpp/jid"
)

// testSyncer returns a Syncer with one repository, ours, that is kept in step with those of peers, by their UUIDs. It isn't started: nothing is said.
func testSyncer(t *testing.T, ours string, clients ...string) (*Syncer, *repository) {
	t.Helper()
	s := New(Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Timeout: time.Minute})
	r := &repository{
		Repository: Repository{Repo: &repo.Repo{}, UUID: ours, Settings: config.Settings{Sync: true}},
		links:      make(map[linkID]*link), out: make(map[string]time.Time), expected: make(map[string]expected),
	}
	s.repos[ours] = r
	for i, client := range clients {
		id := linkID{key: peers.Key{byte(i + 1)}, address: client + "@example.org", name: "proj"}
		to := jid.MustParse(id.address + "/git-0000000000000000")
		r.links[id] = &link{linkID: id, repo: r, to: to, client: client, merges: true, has: make(map[string]string)}
		s.online[to.String()] = true
	}
	return s, r
}

// Of those that merge, the one with the smallest UUID does at once. The others wait, the longer the more come before them, but not for ever, nor for who isn't there.
func TestMergesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := testSyncer(t, "b", "a", "c")
		if !s.LeavesMerging("b") || s.mergesNow(r, true) {
			t.Error("it merges before a")
		}
		if !s.mergesNow(r, false) {
			t.Error("with nothing to merge it waits")
		}
		for began := time.Now(); !s.mergesNow(r, true); time.Sleep(time.Second) { // something changes all the time
			if time.Since(began) > maxMergeWait+mergeStep {
				t.Fatal("it waits for ever")
			}
		}
		s.mergesNow(r, true)
		time.Sleep(2 * mergeStep)
		if !s.mergesNow(r, true) {
			t.Error("it isn't its turn when nothing has changed for a while")
		}
		s.Presence(jid.MustParse("a@example.org/git-0000000000000000"), false)
		if s.LeavesMerging("b") || !s.mergesNow(r, true) {
			t.Error("it waits for a, which isn't there")
		}
	})
}

// What one is about to push isn't asked for twice, unless it doesn't come.
func TestExpectedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := testSyncer(t, "o", "a", "b")
		keys := map[string]peers.Key{"a": {1}, "b": {2}}
		tips := []repo.Tip{{Ref: "refs/heads/main", ID: "1"}, {Ref: "refs/heads/topic", ID: "2"}}
		expect := func(client string, offered, want []repo.Tip) {
			t.Helper()
			if got := s.Expect("o", keys[client], client, offered); !reflect.DeepEqual(got, want) {
				t.Errorf("%s is asked for %v, want %v", client, got, want)
			}
		}
		expect("a", tips[:1], tips[:1])
		expect("b", tips, tips[1:])
		expect("a", tips[:1], tips[:1]) // once more
		time.Sleep(beginsWithin)
		synctest.Wait()
		if l := s.repos["o"].find(keys["b"], "b")[0]; len(l.putOff) > 0 {
			t.Errorf("a hasn't begun, and %v of b's is still put off", l.putOff)
		}
		expect("b", tips[:1], tips[:1]) // a hasn't begun
		s.Receiving("o", keys["b"], "b", false)
		time.Sleep(beginsWithin)
		expect("a", tips[:1], nil)
		s.Ended("o", "b")
		expect("a", tips[:1], tips[:1])
		s.Receiving("o", keys["a"], "a", false)
		time.Sleep(putOffFor)
		expect("b", tips[:1], tips[:1]) // a takes too long
	})
}
