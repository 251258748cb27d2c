package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// smallDisk mounts a file system of some bytes on a new folder.
func smallDisk(t *testing.T, dir, size string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small file system")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fillUp writes a file until the disk is full, and returns how to free it again.
func fillUp(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	f.Close()
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// The disk of the repository that is pushed to fills up: git says so, all is as before, and there is room again for the next push.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	smallDisk(t, filepath.Join(bob.dir, "disk"), "2m")
	served := bob.newRepo("disk/proj")
	bob.serve(served)
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), "clone")
	clone := filepath.Join(alice.dir, "clone")
	small := alice.commit(clone, "small")
	randomFile(t, filepath.Join(clone, "blob"), 4<<20)
	alice.commit(clone, "large")

	for _, unpackLimit := range []string{"1", "100"} { // by index-pack, and by unpack-objects
		bob.git(served, "config", "receive.unpackLimit", unpackLimit)
		before := snapshot(t, served)
		r := alice.try(clone, "git", "push", "origin", "main")
		if r.status == 0 || !strings.Contains(r.stderr, "No space left on device") || !strings.Contains(r.stderr, "! [remote rejected] main -> main (unpacker error)") {
			t.Errorf("push onto a full disk: %v", r)
		}
		if strings.Contains(r.stderr, bob.dir) {
			t.Errorf("a path of Bob's is told: %v", r)
		}
		await(t, "the quarantine to go", func() bool { return len(remains(t, served)) == 0 })
		sameSnapshot(t, before, snapshot(t, served))
		bob.git(served, "fsck", "--strict")
	}
	alice.git(clone, "push", "--quiet", "origin", small+":refs/heads/main")
	if got := bob.git(served, "rev-parse", "main"); got != small {
		t.Errorf("main is %s, want %s", got, small)
	}
}

// The disk of the keys and peers fills up: an invite can't be taken, says so, and can be taken when there is room.
func TestFullDiskOfPeers(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	smallDisk(t, bob.dataDir(), "256k")
	served := bob.newRepo("proj")
	bob.serve(served)
	invite := bob.xmpp(served, "invite")
	plain := alice.newRepo("plain")
	alice.git(plain, "config", "xmpp.uuid", "123e4567-e89b-12d3-a456-426614174000")
	alice.serve(plain).stop() // makes the key, and is a login
	free := fillUp(t, bob.dataDir())
	b := badInput{
		home: alice, dir: plain, url: strings.TrimPrefix(invite, "xmpp::"), status: 1, refused: true, within: 3 * time.Second,
		line: "bob@localhost/proj: internal error on the serving side", watched: []string{bob.dir, alice.dir}, secrets: inviteSecrets(t, invite),
	}
	b.check(t)
	free()
	alice.git(alice.dir, "clone", "--quiet", invite, "clone")
}
