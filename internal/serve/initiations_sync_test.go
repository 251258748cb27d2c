package serve_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/internal/peers"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/syncer"
	"git-remote-xmpp/protocol"
	"mellium.im/xmpp/jid"
)

const (
	answerTimeout = 20 * time.Second // what serve gives a peer to read
	clientC       = "0b6ff9d2-3a58-4f41-8a25-8f6f6c1a0003"
	resource      = "git-0000000000000001"
)

// keepsInStep has bob's serve keep its repositories in step. Its turns are told to the channel and refused.
func (w *world) keepsInStep() (pushes chan syncer.Push) {
	w.t.Helper()
	pushes = make(chan syncer.Push, 1000)
	log := slog.New(slog.DiscardHandler)
	pool := client.NewPool(client.Options{Dialer: w.bob, Store: w.store, Account: jid.MustParse("bob@localhost"), Software: "test"})
	s := syncer.New(syncer.Config{
		Store: w.store, Dir: w.keys(), Hooks: repo.HooksDir(w.t.TempDir()), Log: log, Timeout: deadline,
		Repositories: func(context.Context) (list []syncer.Repository, err error) {
			for _, e := range w.repos {
				list = append(list, syncer.Repository{Repo: e.Repo, UUID: e.UUID, Name: e.Name, Settings: e.Settings})
			}
			return list, nil
		},
		Turn: func(_ context.Context, p syncer.Push) (func(), error) {
			pushes <- p
			return nil, &protocol.Refuse{Code: protocol.CodeRefused} // isn't tried again
		},
	})
	if err := s.Start(w.t.Context(), pool, w.bob.Greet); err != nil {
		w.t.Fatal(err)
	}
	w.server.Sync = s
	w.t.Cleanup(func() {
		w.shutdown()
		s.Close()
		pool.Close()
	})
	return pushes
}

func (w *world) keys() string { return filepath.Join(os.Getenv("HOME"), "keys") }

// serving is a guest that says in its hello that it serves under a resource.
func (g *guest) serving(resource string) *guest {
	g.t.Helper()
	if m := g.ask(&protocol.Hello{Major: protocol.Major, Minor: protocol.Minor, Resource: resource}); m.Type() != protocol.TypeHello {
		g.t.Fatalf("%+v", m)
	}
	return g
}

// ask says something on the control stream and returns the answer.
func (g *guest) ask(m protocol.Message) protocol.Message {
	g.t.Helper()
	g.say(m)
	answer, err := g.replies.Next()
	if err != nil {
		g.t.Fatalf("%+v: %v", m, err)
	}
	return answer
}

func (g *guest) say(m protocol.Message) {
	g.t.Helper()
	_ = g.control.SetDeadline(time.Now().Add(deadline))
	if err := protocol.Write(g.control, m); err != nil {
		g.t.Fatalf("%+v: %v", m, err)
	}
}

// commit makes a commit on a branch of a served repository.
func (w *world) commit(name, branch string) string {
	w.t.Helper()
	dir := w.repos[name].Repo.Dir
	id := git(w.t, dir, "-c", "user.name=x", "-c", "user.email=x", "commit-tree", "-m", branch, git(w.t, dir, "mktree"))
	git(w.t, dir, "update-ref", "refs/heads/"+branch, id)
	return id
}

// Who may read a repository may announce a clone of it, by a UUID that is nobody else's.
func TestAnnouncements(t *testing.T) {
	w := newWorld(t, deadline, "proj", "other")
	w.keepsInStep()
	proj, other := w.repos["proj"].UUID, w.repos["other"].UUID
	alice := w.guest("alice", map[string]peers.Access{"proj": peers.Read}).serving(resource)
	carol := w.guest("carol", map[string]peers.Access{"proj": peers.Write}).serving(resource) // the same: her own address is meant
	refused := func(code protocol.Code) *protocol.Refuse { return &protocol.Refuse{Code: code} }
	for _, c := range []struct {
		name string
		from *guest
		says protocol.Announce
		want protocol.Message
	}{
		{"reader", alice, protocol.Announce{From: clientA, Repository: "proj"}, &protocol.Announced{From: proj, To: clientA}},
		{"again", alice, protocol.Announce{From: clientA, Repository: proj}, &protocol.Announced{From: proj, To: clientA}},
		{"writer", carol, protocol.Announce{From: clientB, Repository: "proj"}, &protocol.Announced{From: proj, To: clientB}},
		{"another's UUID", alice, protocol.Announce{From: clientB, Repository: "proj"}, refused(protocol.CodeUUIDBound)},
		{"our own UUID", carol, protocol.Announce{From: proj, Repository: "proj"}, refused(protocol.CodeUUIDBound)},
		{"no access", alice, protocol.Announce{From: clientC, Repository: other}, refused(protocol.CodeNoRepository)},
		{"no such repository", alice, protocol.Announce{From: clientC, Repository: "nowhere"}, refused(protocol.CodeNoRepository)},
	} {
		got := c.from.ask(&c.says)
		if refusal, ok := got.(*protocol.Refuse); ok {
			got = refused(refusal.Code)
		}
		if fmt.Sprintf("%T %+v", got, got) != fmt.Sprintf("%T %+v", c.want, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	mute := w.guest("carol", map[string]peers.Access{"proj": peers.Read}).serving("phone")
	if m, ok := mute.ask(&protocol.Announce{From: clientC, Repository: "proj"}).(*protocol.Refuse); !ok {
		t.Errorf("not a resource of serve: %+v", m)
	}
	var clients []string
	for _, s := range w.server.Sync.Status(t.Context()) {
		for _, m := range s.Remotes {
			for _, p := range m.Peers {
				clients = append(clients, p.Client+" "+p.JID)
			}
		}
	}
	if want := fmt.Sprint([]string{clientA + " alice@localhost/" + resource, clientB + " carol@localhost/" + resource}); fmt.Sprint(clients) != want {
		t.Errorf("%v, want %v", clients, want)
	}
}

// A reader is offered, and pushed, what it could fetch, and nothing else; what it asks for in vain costs no turn.
func TestReaderAsks(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	git(t, w.repos["proj"].Repo.Dir, "config", "transfer.hideRefs", "refs/heads/secret")
	w.commit("proj", "main")
	w.commit("proj", "secret")
	pushes := w.keepsInStep()
	proj := w.repos["proj"].UUID
	alice := w.guest("alice", map[string]peers.Access{"proj": peers.Read}).serving(resource)
	alice.ask(&protocol.Announce{From: clientA, Repository: "proj"})
	if m, ok := alice.ask(&protocol.PushRequest{From: clientA, To: proj}).(*protocol.CanPush); !ok || fmt.Sprint(m.Refs) != "[refs/heads/main]" || m.More {
		t.Errorf("%+v", m)
	}
	var many []string
	for i := range protocol.MaxTips {
		many = append(many, fmt.Sprint("refs/heads/", i))
	}
	for range 20 {
		for _, refs := range [][]string{{"refs/heads/secret"}, {"refs/heads/../x"}, many} {
			alice.say(&protocol.PushRequest{From: clientA, To: proj, Refs: refs})
		}
	}
	alice.say(&protocol.PushRequest{From: clientB, To: proj, Refs: []string{"refs/heads/main"}}) // a clone that wasn't announced
	if m := alice.ask(&protocol.PushRequest{From: clientA, To: clientC}); m.Type() != protocol.TypeNothingNeeded {
		t.Errorf("another repository: %+v", m)
	}
	select {
	case p := <-pushes:
		t.Errorf("a push: %+v", p)
	default:
	}
	alice.say(&protocol.PushRequest{From: clientA, To: proj, Refs: []string{"refs/heads/main"}})
	select {
	case p := <-pushes:
		if p.Client != clientA || p.To != "alice@localhost/"+resource {
			t.Errorf("%+v", p)
		}
	case <-time.After(deadline):
		t.Error("no push")
	}
}

// Any number of clones of one peer don't keep another from announcing its own, and what is written down stays small.
func TestAnnouncementFlood(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	w.keepsInStep()
	alice := w.guest("alice", map[string]peers.Access{"proj": peers.Read}).serving(resource)
	for i := range 200 {
		if m := alice.ask(&protocol.Announce{From: fmt.Sprintf("%s%04d", clientA[:32], 1000+i), Repository: "proj"}); m.Type() != protocol.TypeAnnounced {
			t.Fatalf("%+v", m)
		}
	}
	carol := w.guest("carol", map[string]peers.Access{"proj": peers.Read}).serving(resource)
	if m := carol.ask(&protocol.Announce{From: clientB, Repository: "proj"}); m.Type() != protocol.TypeAnnounced {
		t.Errorf("%+v", m)
	}
	info, err := os.Stat(filepath.Join(w.keys(), "sync.json"))
	if err != nil || info.Size() > 100_000 {
		t.Errorf("%+v, %v", info, err)
	}
}

// A peer that asks and doesn't read the answers keeps nobody else waiting, not even itself on another connection.
func TestUnreadAnswers(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	id := w.commit("proj", "main")
	dir := w.repos["proj"].Repo.Dir
	var refs strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&refs, "%s refs/heads/%s-%d\n", id, strings.Repeat("long", 30), i)
	}
	if err := os.WriteFile(filepath.Join(dir, "packed-refs"), []byte("# pack-refs with: peeled fully-peeled \n"+refs.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w.keepsInStep()
	proj := w.repos["proj"].UUID
	guests := w.crowdOf("alice", 5, map[string]peers.Access{"proj": peers.Read})
	var tasks sync.WaitGroup
	for _, g := range guests[1:] {
		tasks.Go(func() {
			for protocol.Write(g.control, &protocol.PushRequest{From: clientA, To: proj}) == nil {
			}
		})
	}
	carol := w.guest("carol", map[string]peers.Access{"proj": peers.Read}).hello()
	for name, g := range map[string]*guest{"another": carol, "the same": guests[0]} {
		began := time.Now()
		from := map[string]string{"another": clientB, "the same": clientA}[name]
		if m, ok := g.ask(&protocol.PushRequest{From: from, To: proj}).(*protocol.CanPush); !ok || !m.More {
			t.Errorf("%s: %+v", name, m)
		}
		if took := time.Since(began); took > answerTimeout/2 {
			t.Errorf("%s: answered after %v", name, took)
		}
	}
	for _, g := range guests {
		g.conn.Close(0)
	}
	tasks.Wait()
}

// A peer that asks without end, over many connections, keeps others waiting for no longer than it takes.
func TestAskFlood(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	w.commit("proj", "main")
	w.keepsInStep()
	proj := w.repos["proj"].UUID
	carol := w.guest("carol", map[string]peers.Access{"proj": peers.Read}).hello()
	took := func() time.Duration {
		began := time.Now()
		for range 3 {
			carol.fetches("proj")
		}
		return time.Since(began) / 3
	}
	alone := took()
	guests := w.crowdOf("alice", 16, map[string]peers.Access{"proj": peers.Read})
	ctx, cancel := context.WithCancel(t.Context())
	var tasks sync.WaitGroup
	var mu sync.Mutex
	asked := 0
	for _, g := range guests {
		tasks.Go(func() {
			for ctx.Err() == nil {
				if protocol.Write(g.control, &protocol.PushRequest{From: clientA, To: proj}) != nil {
					return
				}
				if _, err := g.replies.Next(); err != nil {
					return
				}
				mu.Lock()
				asked++
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	flooded := took()
	elapsed := time.Since(began)
	cancel()
	for _, g := range guests {
		g.conn.Close(0)
	}
	tasks.Wait()
	t.Logf("a fetch takes %v alone, %v beside %d questions in %v", alone, flooded, asked, elapsed)
	if flooded > 20*alone+time.Second {
		t.Errorf("a fetch took %v", flooded)
	}
}

// crowdOf are many connections of one installation.
func (w *world) crowdOf(user string, n int, grants map[string]peers.Access) (guests []*guest) {
	w.t.Helper()
	cfg := w.config(user)
	key, _ := peers.KeyOf(cfg.Identity.Public().(ed25519.PublicKey))
	for name, access := range grants {
		w.introduce(key, cfg.Account.String(), w.repos[name].UUID, access)
	}
	e := w.endpoint(cfg)
	for range n {
		conn, err := e.Dial(w.t.Context(), w.bob.JID(), w.bobKey, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { conn.Close(0) })
		control, err := conn.OpenStream(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		_ = control.SetDeadline(time.Now().Add(deadline))
		guests = append(guests, (&guest{w, conn, control, protocol.NewReader(control)}).hello())
	}
	return guests
}
