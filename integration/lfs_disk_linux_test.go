package integration

import (
	"path/filepath"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// The disk of the serving side fills up: git-lfs says so, nothing stays there, and there is room again for the next object.
func TestLFSFullDisk(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	p := newLFSPair(t, s, "--bare")
	smallDisk(t, filepath.Join(p.served, "lfs"), "2m")
	p.alice.commit(p.clone, "first")
	p.commitFiles(t, map[string]int{"large.bin": 4_000_000})
	p.refusedLFS(t, "[1] bob@localhost/proj: no space left on the serving side", "push", "origin", "main")
	if left := filesIn(t, filepath.Join(p.served, "lfs")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	p.alice.git(p.clone, "reset", "--quiet", "--soft", "HEAD~1")
	oids := p.commitFiles(t, map[string]int{"large.bin": 1_000_000})
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	p.bob.mustHave(t, p.served, oids)
}

// So does that of the fetching side: what has come in is kept, and the fetch goes on when there is room.
func TestLFSFullDiskHere(t *testing.T) {
	t.Parallel()
	p := newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "--bare")
	oids := p.commitFiles(t, map[string]int{"large.bin": 4_000_000})
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	p.alice.env = append(p.alice.env, "GIT_LFS_SKIP_SMUDGE=1")
	again := filepath.Join(p.alice.dir, "again")
	p.alice.git(p.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", again)
	lfs := filepath.Join(again, ".git", "lfs")
	smallDisk(t, lfs, "5m")
	free := fillPartly(t, lfs, 3_000_000)
	r := p.alice.try(again, "git", "lfs", "fetch")
	if r.status == 0 {
		t.Errorf("fetch: %v", r)
	}
	mustSay(t, r.stderr, "no space left on device")
	there, _ := lfsPartial(t, filepath.Join(again, ".git"))
	free()
	p.alice.git(again, "lfs", "fetch")
	p.alice.mustResume(t, oids["large.bin"], there)
	p.alice.mustHave(t, again, oids)
}

// fillPartly writes a file of a size, and returns how to free it again.
func fillPartly(t *testing.T, dir string, size int) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	randomFile(t, name, size)
	return func() { removeFile(t, name) }
}
