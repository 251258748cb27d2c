package integration

import (
	"path/filepath"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// What a peer refuses is told by git, once, and nothing has changed.
func TestRefusals(t *testing.T) {
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "other", "third")
	alice := p.labelled(t, "Alice")
	uuid := p.bob.git(p.served, "config", "xmpp.uuid")

	t.Run("unknown repository", func(t *testing.T) {
		p.refused(4, "bob@localhost/nothing: no such repository", "bob@localhost/nothing").check(t)
	})
	t.Run("unknown uuid", func(t *testing.T) {
		p.refused(4, "no such repository", "bob@localhost/123e4567-e89b-12d3-a456-426614174000").check(t)
	})
	t.Run("no access to another repository", func(t *testing.T) {
		p.refused(4, "bob@localhost/other: no such repository", "bob@localhost/other").check(t)
	})
	t.Run("ambiguous", func(t *testing.T) {
		p.bob.xmpp(p.bob.dir, "peers", "set", alice, "--access", "read", filepath.Join(p.bob.dir, "other"))
		p.refused(1, "bob@localhost: several repositories, name one: proj, other", "bob@localhost").check(t)
	})
	t.Run("read-only", func(t *testing.T) {
		p.bob.xmpp(p.bob.dir, "peers", "set", alice, "--access", "read")
		b := p.refused(1, "bob@localhost/proj: read-only access, push refused", "bob@localhost/proj")
		b.push = true
		b.check(t)
		b.url, b.line = "bob@localhost/"+uuid, "read-only access, push refused"
		b.check(t)
		p.alice.git(p.clone, "fetch", "--quiet")
	})
	t.Run("removed, as one of two of an account", func(t *testing.T) {
		other := newHome(t, p.server, "Eve", "alice")
		other.git(other.dir, "clone", "--quiet", p.bob.xmpp(p.served, "invite", "--label", "Eve"), "clone")
		p.bob.xmpp(p.bob.dir, "peers", "remove", p.labelled(t, "Eve"))
		b := p.refused(1, "bob@localhost/proj: this key isn't known here: ask for an invite", "bob@localhost/proj")
		b.home, b.dir, b.within = other, filepath.Join(other.dir, "clone"), 3*time.Second
		b.check(t)
		p.alice.git(p.clone, "ls-remote") // the other one is still let in
	})
	t.Run("no access", func(t *testing.T) {
		p.bob.xmpp(p.bob.dir, "peers", "set", alice, "--access", "none")
		p.refused(4, "bob@localhost/proj: no such repository", "bob@localhost/proj").check(t)
	})
	t.Run("removed", func(t *testing.T) {
		p.bob.xmpp(p.bob.dir, "peers", "remove", alice)
		p.bad(4, "isn't online, or doesn't know us", "bob@localhost/proj").check(t)
	})
}

// A trace tells what happens, on both sides, and nothing secret.
func TestTrace(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	bob.env, alice.env = append(bob.env, "GIT_XMPP_TRACE=1"), append(alice.env, "GIT_XMPP_TRACE=1")
	d := bob.serve(bob.newRepo("proj"))
	invite := bob.xmpp(filepath.Join(bob.dir, "proj"), "invite")
	secrets := append(inviteSecrets(t, invite), s.Accounts["bob"], s.Accounts["alice"])
	clone := filepath.Join(alice.dir, "clone")
	for _, args := range [][]string{{"clone", invite, clone}, {"-C", clone, "push", "origin", "main:new"}} {
		r := alice.gitBoth(alice.dir, args...)
		if !traced.MatchString(r.stderr) {
			t.Errorf("git %v: no trace: %v", args, r)
		}
		noSecrets(t, r, append(secrets, keySecrets(t, alice)...))
	}
	d.stop()
	noSecrets(t, result{stderr: d.stderr.String()}, append(secrets, keySecrets(t, bob)...))
	if !traced.MatchString(d.stderr.String()) {
		t.Error("serve: no trace")
	}
}
