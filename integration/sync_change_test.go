package integration

import (
	"os"
	"path/filepath"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// Nothing is exchanged while xmpp.sync is off on one side, and all of it when it is on again, without a new start.
func TestSyncSwitchedOffAndOn(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	alice := newReplica(t, s, "Alice", "alice", bob)
	bob.at(t, "main", alice.commit(alice.proj, "together"))
	alice.settled(t, "origin")
	alice.git(alice.proj, "config", "xmpp.sync", "false")
	await(t, "the setting to be seen", func() bool { return !alice.syncStatus().Sync[0].Sync })
	theirs := bob.commit(bob.proj, "theirs")
	ours := alice.git(alice.proj, "commit-tree", "-m", "ours", "HEAD^{tree}")
	alice.git(alice.proj, "branch", "ours", ours)
	id := bob.commit(bob.proj, "theirs too")
	if alice.git(alice.proj, "rev-parse", "main") == theirs || bob.reaches(ours) {
		t.Error("something was exchanged")
	}
	alice.git(alice.proj, "config", "xmpp.sync", "true")
	alice.at(t, "main", id)
	bob.at(t, "ours", ours)
	alice.settled(t, "origin")
}

// What a hook refuses holds up nothing else, and is offered again for some time.
func TestSyncRefused(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	alice := newReplica(t, s, "Alice", "alice", bob)
	bob.at(t, "main", alice.commit(alice.proj, "together"))
	seen := filepath.Join(bob.dir, "refused")
	hook(t, bob.proj, "update", "#!/bin/sh\ncase $1 in */refused) echo $1 >>"+seen+"; exit 1;; esac\n")
	refused := alice.git(alice.proj, "commit-tree", "-m", "refused", "HEAD^{tree}")
	alice.git(alice.proj, "branch", "refused", refused)
	awaitFile(t, seen)
	bob.at(t, "main", alice.commit(alice.proj, "taken"))
	if err := os.Remove(filepath.Join(bob.proj, ".git", "hooks", "update")); err != nil {
		t.Fatal(err)
	}
	bob.at(t, "refused", refused)
}

// A repository that is removed while it is kept in step leaves the others as they are.
func TestSyncRemoved(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	alice := newReplica(t, s, "Alice", "alice", bob)
	bob.stop()
	other := bob.newRepo("other")
	bob.git(other, "config", "xmpp.sync", "true")
	bob.daemon = bob.serve(bob.dir, bob.proj, other)
	alice.settled(t, "origin")
	if err := os.RemoveAll(bob.proj); err != nil {
		t.Fatal(err)
	}
	alice.commit(alice.proj, "for nobody")
	clone := filepath.Join(alice.dir, "other")
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(other, "invite", "--label", "Alice"), clone)
	alice.git(clone, "config", "xmpp.sync", "true")
	alice.stop()
	alice.daemon = alice.serve(alice.dir, alice.proj, clone)
	id := bob.commit(other, "other")
	(&replica{home: alice.home, proj: clone}).at(t, "main", id)
}
