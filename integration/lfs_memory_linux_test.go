package integration

import (
	"path/filepath"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	lfsMemoryBytes = 200_000_000 // of the object that is carried
	maxLFSBytes    = 64 << 20    // peak resident memory of either side's program
)

// An object is never held in memory, on neither side.
func TestLFSMemory(t *testing.T) {
	p := newLFSPair(t, testserver.New(t, testserver.Ejabberd, testserver.Options{}), "--bare")
	oids := p.commitFiles(t, map[string]int{"huge.bin": lfsMemoryBytes})
	report := measureHelper(t, p.alice)
	began := time.Now()
	p.alice.git(p.clone, "lfs", "push", "origin", "main")
	up := time.Since(began)
	p.alice.env = append(p.alice.env, "GIT_LFS_SKIP_PUSH=1", "GIT_LFS_SKIP_SMUDGE=1")
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	again := filepath.Join(p.alice.dir, "again")
	p.alice.git(p.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", again)
	began = time.Now()
	p.alice.git(again, "lfs", "fetch")
	down := time.Since(began)
	p.bob.mustHave(t, p.served, oids)
	p.alice.mustHave(t, again, oids)

	if runs := len(measuredRuns(t, report)); runs < 2 {
		t.Fatalf("%d runs were measured", runs)
	}
	agent := highestPeak(t, report)
	serve := peakOf(t, p.daemon.cmd.Process.Pid)
	t.Logf("an object of %d MB: %.1f s up, %.1f s down; agent %.1f MiB, serve %.1f MiB", lfsMemoryBytes/1_000_000, up.Seconds(), down.Seconds(), mib(agent), mib(serve))
	if agent >= maxLFSBytes || serve >= maxLFSBytes {
		t.Errorf("at most %.0f MiB are allowed", mib(maxLFSBytes))
	}
}
