package integration

import (
	"path/filepath"
	"slices"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// newSiblings are Bob's laptop and desktop, which took each other's invites, and Alice, who took the laptop's only.
func newSiblings(t *testing.T, s *testserver.Server) *machines {
	t.Helper()
	b := &machines{server: s, alice: newHome(t, s, "Alice", "alice"), laptop: newMachine(t, s, "laptop", "")}
	b.desktop = newMachine(t, s, "desktop", b.laptop.proj)
	b.laptop.git(b.laptop.proj, "fetch", "--quiet", b.desktop.xmpp(b.desktop.proj, "invite", "--label", "laptop"))
	b.desktop.git(b.desktop.proj, "fetch", "--quiet", b.laptop.xmpp(b.laptop.proj, "invite", "--label", "desktop"))
	b.clone = filepath.Join(b.alice.dir, "clone")
	b.alice.git(b.alice.dir, "clone", "--quiet", b.laptop.xmpp(b.laptop.proj, "invite", "--label", "Alice"), b.clone)
	b.laptop.line = "connected to " + b.laptop.key()[:len("SHA256:")+8] + "…"
	b.desktop.line = `connected to "desktop" (` + b.desktop.key()[:len("SHA256:")+8] + "…)"
	return b
}

// meet has the desktop talk to the laptop, which tells it of Alice, on a connection of its own: one that is there already says nothing new.
func (b *machines) meet() {
	b.desktop.t.Helper()
	b.desktop.git(b.desktop.proj, "-c", "xmpp.agent=never", "fetch", "--quiet", "xmpp::bob@localhost/"+b.laptop.uuid)
}

// knows fails the test unless a home knows a key as a peer, by the word of these.
func (h *home) knows(key string, vouchers ...string) peerOutput {
	h.t.Helper()
	list := h.peers()
	i := slices.IndexFunc(list, func(p peerOutput) bool { return p.Key == key })
	if i < 0 {
		h.t.Fatalf("%s doesn't know %s: %+v", h.name, key, list)
	}
	if !slices.Equal(list[i].VouchedBy, vouchers) {
		h.t.Errorf("%s knows %s by the word of %v, want %v", h.name, key, list[i].VouchedBy, vouchers)
	}
	return list[i]
}

func (h *home) knowsNot(key string) {
	h.t.Helper()
	if list := h.peers(); slices.ContainsFunc(list, func(p peerOutput) bool { return p.Key == key }) {
		h.t.Errorf("%s knows %s: %+v", h.name, key, list)
	}
}

// Alice knows the laptop only; when that is offline, the desktop, which it vouches for, serves her.
func TestVouchedMachineServes(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, playVouched)
}

func playVouched(t *testing.T, s *testserver.Server) {
	const proj = "xmpp::bob@localhost/proj"
	b := newSiblings(t, s)
	alice, laptop, desktop := b.alice.key(), b.laptop.key(), b.desktop.key()
	if p := b.alice.knows(desktop, laptop); !p.Pinned || p.Label != "desktop" {
		t.Errorf("the desktop at Alice's: %+v", p)
	}
	mustSay(t, b.alice.xmpp(b.alice.dir, "peers"), "vouched for by "+laptop[:len("SHA256:")+12])
	b.desktop.knowsNot(alice)
	b.meet()
	if p := b.desktop.knows(alice, laptop); p.Access[b.desktop.uuid] != "write" || len(p.Access) != 1 || p.Pinned || p.Label != "Alice" {
		t.Errorf("Alice at the desktop: %+v", p)
	}
	mustSay(t, b.desktop.xmpp(b.desktop.proj, "peers", "."), alice, "vouched for by laptop")

	b.push(t, proj, b.laptop)
	b.laptop.daemon.stop()
	b.push(t, proj, b.desktop)
	want := b.desktop.commit(b.desktop.proj, "from the desktop")
	if r := b.alice.gitBoth(b.clone, "fetch", "origin", "main"); connectedLine.FindString(r.stderr) != b.desktop.line || b.alice.git(b.clone, "rev-parse", "FETCH_HEAD") != want {
		t.Errorf("fetched from the desktop: %v", r)
	}
	b.desktop.knows(laptop)
	b.desktop.knows(alice, laptop)
	b.alice.knows(desktop, laptop) // what it says itself goes no further
}

// Who is shut out where the trust comes from is shut out everywhere, the next time that the machines talk; and here at once.
func TestVouchedIsStopped(t *testing.T) {
	const proj = "xmpp::bob@localhost/proj"
	b := newSiblings(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	alice, laptop, desktop := b.alice.key(), b.laptop.key(), b.desktop.key()
	b.meet()
	b.laptop.daemon.stop()
	b.push(t, proj, b.desktop)
	b.desktop.xmpp(b.desktop.dir, "peers", "set", alice, "--access", "read")
	bad := badInput{home: b.alice, dir: b.clone, url: "bob@localhost/proj", push: true, watched: []string{b.desktop.proj}}
	bad.refused, bad.status, bad.line = true, 1, "read-only access"
	bad.check(t)
	b.desktop.xmpp(b.desktop.dir, "peers", "set", alice, "--access", "none")
	bad.refused, bad.status, bad.line = false, 4, "1 without such a repository, 1 not online"
	bad.check(t)
	b.laptop.daemon = b.laptop.serve(b.laptop.proj)
	b.meet()
	if p := b.desktop.knows(alice, laptop); p.Access[b.desktop.uuid] != "none" {
		t.Errorf("none didn't stay: %+v", p)
	}
	b.desktop.xmpp(b.desktop.dir, "peers", "remove", alice)
	b.meet()
	b.desktop.knowsNot(alice)

	b.push(t, proj, b.laptop)
	b.laptop.xmpp(b.laptop.dir, "peers", "remove", desktop) // a machine that was lost
	b.push(t, proj, b.laptop)
	b.alice.knowsNot(desktop)
	if r := b.alice.gitBoth(b.clone, "push", proj, "HEAD:refs/heads/last"); connectedLine.MatchString(r.stderr) {
		t.Errorf("there is no choice any more: %v", r)
	}
	b.alice.xmpp(b.alice.dir, "peers", "remove", laptop)
	bad.status, bad.line = 1, "no key known"
	bad.check(t)
}

// What the laptop doesn't let her do, the desktop doesn't either, when they have talked.
func TestSharedAccessFollows(t *testing.T) {
	b := newSiblings(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	alice, laptop := b.alice.key(), b.laptop.key()
	b.laptop.xmpp(b.laptop.proj, "peers", "set", alice, "--access", "read", ".")
	b.meet()
	if p := b.desktop.knows(alice, laptop); p.Access[b.desktop.uuid] != "read" {
		t.Errorf("%+v", p)
	}
	b.laptop.xmpp(b.laptop.proj, "peers", "set", alice, "--access", "none", ".")
	b.meet()
	b.desktop.knowsNot(alice)
	b.laptop.xmpp(b.laptop.proj, "peers", "set", alice, "--access", "write", ".")
	b.desktop.xmpp(b.desktop.proj, "peers", "set", laptop, "--access", "read", ".")
	b.meet()
	if p := b.desktop.knows(alice, laptop); p.Access[b.desktop.uuid] != "read" {
		t.Errorf("more than the laptop may itself: %+v", p)
	}
}

// The laptop has paired with Alice's serve, too: it tells the desktop where to find her, and her who the desktop is.
func TestVouchedMachinePushes(t *testing.T) {
	b := newSiblings(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	hers := b.alice.newRepo("hers")
	b.alice.serve(hers)
	b.laptop.git(b.laptop.proj, "fetch", "--quiet", b.alice.xmpp(hers, "invite"))
	b.alice.xmpp(hers, "peers", "set", b.laptop.key(), "--access", "write", ".")
	desktop := func(args ...string) result {
		return b.desktop.try(b.desktop.proj, "git", append([]string{"push", "xmpp::alice@localhost/hers"}, args...)...)
	}
	if r := desktop("HEAD:refs/heads/early"); r.status == 0 {
		t.Errorf("pushed before it knows her: %v", r)
	}
	b.meet()
	if p := b.desktop.knows(b.alice.key(), b.laptop.key()); !p.Pinned {
		t.Errorf("Alice at the desktop: %+v", p)
	}
	if r := desktop("HEAD:refs/heads/pushed"); r.status != 0 {
		t.Fatalf("pushed to Alice: %v", r)
	}
	if got, want := b.alice.git(hers, "rev-parse", "pushed"), b.desktop.git(b.desktop.proj, "rev-parse", "HEAD"); got != want {
		t.Errorf("pushed is %s, want %s", got, want)
	}
	b.alice.xmpp(hers, "peers", "set", b.laptop.key(), "--access", "read", ".")
	if r := desktop("HEAD:refs/heads/more"); r.status == 0 || b.alice.try(hers, "git", "rev-parse", "--verify", "more").status == 0 {
		t.Errorf("more than the laptop may: %v", r)
	}
	b.alice.xmpp(hers, "peers", "remove", b.laptop.key())
	b.alice.knowsNot(b.desktop.key())
	if r := b.desktop.try(b.desktop.proj, "git", "ls-remote", "xmpp::alice@localhost/hers"); r.status == 0 {
		t.Errorf("fetched without a voucher: %v", r)
	}
}
