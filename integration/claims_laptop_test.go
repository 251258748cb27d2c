package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who has a laptop is its owner, and can let in others, until the key is removed where it is trusted; then nothing of that helps.
func TestStolenLaptop(t *testing.T) {
	t.Parallel()
	v := newBesieged(t, func(*besieged) {})
	invite := v.bob.xmpp(v.served, "invite", "--label", "Carol") // Carol's own, on another account
	carol := newHome(t, v.server, "Carol", "carol")
	carol.git(carol.dir, "clone", "--quiet", invite, "clone")

	// The thief has all that is in Alice's home, and the password that is kept there. A second machine of the thief's and the laptop take each other's invites, so
	// that it is vouched for.
	thief := newHome(t, v.server, "Thief", "alice")
	if err := os.CopyFS(thief.dataDir(), os.DirFS(v.alice.dataDir())); err != nil {
		t.Fatal(err)
	}
	private(t, thief.dataDir())
	second := newHome(t, v.server, "Second", "alice")
	thief.git(thief.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", "clone")
	clone := filepath.Join(thief.dir, "clone")
	theirs := second.newRepo("theirs")
	d := second.serve(theirs)
	thief.git(clone, "fetch", "--quiet", second.xmpp(theirs, "invite"))
	stolen := thief.serve(clone)
	second.git(theirs, "fetch", "--quiet", thief.xmpp(clone, "invite"))
	stolen.stop()
	d.stop()
	thief.commit(clone, "stolen")
	thief.git(clone, "push", "--quiet", "origin", "main:refs/heads/stolen")
	second.git(second.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", "vouched")
	if got := v.bob.peer(t, func(p peerOutput) bool { return p.Key == second.key() }); len(got.VouchedBy) != 1 || got.VouchedBy[0] != thief.key() {
		t.Fatalf("the thief's second machine at Bob's: %+v", got)
	}

	v.bob.xmpp(v.bob.dir, "peers", "remove", v.alice.key())
	v.remember()
	for _, args := range [][]string{{"push", "origin", "main:refs/heads/more"}, {"fetch", "origin"}, {"ls-remote", "origin"}} {
		fails128(t, thief, clone, "git-remote-xmpp: ", args...)
	}
	fails128(t, second, filepath.Join(second.dir, "vouched"), "git-remote-xmpp: ", "fetch", "origin")
	for _, again := range []string{invite, strings.Replace(invite, "/proj?", "/other?", 1)} { // as from a mailbox
		fails128(t, thief, thief.dir, "the invite has been used", "clone", again, "again")
	}
	sameSnapshot(t, v.before, snapshot(t, v.served, v.other))
	v.bob.knowsNot(v.alice.key())
	v.bob.knowsNot(second.key())
	carol.commit(filepath.Join(carol.dir, "clone"), "honest")
	carol.git(filepath.Join(carol.dir, "clone"), "push", "--quiet", "origin", "main:refs/heads/honest")
}

// private gives a copied folder the modes that it must have.
func private(t *testing.T, dir string) {
	t.Helper()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			if err := os.Chmod(filepath.Join(dir, e.Name()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
