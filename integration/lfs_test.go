package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// lfsSizes are the files that tests carry.
var lfsSizes = map[string]int{"small.bin": 100, "middle.bin": 1_000_000, "large.bin": 20_000_000, "empty.bin": 0}

// An lfsPair is a bare repository of Bob's that is served, and a clone of Alice's; both have Git LFS, and Alice its set-up for XMPP.
type lfsPair struct {
	bob, alice    *home
	daemon        *daemon
	served, clone string
}

func newLFSPair(t *testing.T, s *testserver.Server, init ...string) *lfsPair {
	t.Helper()
	testserver.Require(t, testserver.GitLFS)
	p := &lfsPair{bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice")}
	for _, h := range []*home{p.bob, p.alice} {
		h.git(h.dir, "lfs", "install", "--skip-repo")
		h.env = append(h.env, "GIT_XMPP_TRACE="+h.trace())
	}
	p.alice.xmpp(p.alice.dir, "lfs", "setup")
	p.served = p.bob.newRepo("proj", init...)
	p.daemon = p.bob.serve(p.served)
	p.alice.git(p.alice.dir, "clone", "--quiet", p.bob.xmpp(p.served, "invite"), "clone")
	p.clone = filepath.Join(p.alice.dir, "clone")
	p.alice.git(p.clone, "lfs", "install")
	p.alice.git(p.clone, "checkout", "--quiet", "-B", "main")
	p.alice.git(p.clone, "lfs", "track", "*.bin")
	return p
}

// trace is the file that a home's log goes to.
func (h *home) trace() string { return filepath.Join(h.dir, "trace") }

// offsets are those from which on an object was received, by a home's log.
func (h *home) offsets(t *testing.T, oid string) (offsets []int) {
	t.Helper()
	text, err := os.ReadFile(h.trace())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`msg="object received" .*oid=`+oid+` .*offset=([0-9]+)`).FindAllStringSubmatch(string(text), -1) {
		offset, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, offset)
	}
	return offsets
}

// commitFiles commits files of random content in Alice's clone, and returns the ids of their objects by name.
func (p *lfsPair) commitFiles(t *testing.T, sizes map[string]int) map[string]string {
	t.Helper()
	oids := make(map[string]string)
	for name, size := range sizes {
		randomFile(t, filepath.Join(p.clone, name), size)
		oids[name] = hashFile(t, filepath.Join(p.clone, name))
	}
	p.alice.commit(p.clone, "files")
	return oids
}

func hashFile(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// lfsObject is where git-lfs keeps an object of a repository.
func (h *home) lfsObject(dir, oid string) string {
	gitDir := h.git(dir, "rev-parse", "--absolute-git-dir")
	return filepath.Join(gitDir, "lfs", "objects", oid[:2], oid[2:4], oid)
}

// mustHave expects whole objects in a repository, of all but empty files, and nothing left of transfers.
func (h *home) mustHave(t *testing.T, dir string, oids map[string]string) {
	t.Helper()
	for name, oid := range oids {
		if lfsSizes[name] == 0 {
			continue
		}
		if got := hashFile(t, h.lfsObject(dir, oid)); got != oid {
			t.Errorf("the object of %s is %s", name, got)
		}
	}
	if r := h.try(dir, "git", "lfs", "fsck", "HEAD"); r.status != 0 {
		t.Errorf("%s: git lfs fsck: %v", h.name, r)
	}
	for _, folder := range []string{"incomplete", "tmp"} {
		if left := filesIn(t, filepath.Join(filepath.Dir(filepath.Dir(h.lfsObject(dir, strings.Repeat("0", 64)))), "..", "..", folder)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// filesIn lists the files below a folder.
func filesIn(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return nil // what isn't there holds nothing
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sameFiles expects a work tree to hold the files as they were committed.
func sameFiles(t *testing.T, dir string, oids map[string]string) {
	t.Helper()
	for name, oid := range oids {
		if got := hashFile(t, filepath.Join(dir, name)); got != oid {
			t.Errorf("%s in %s is another file", name, dir)
		}
	}
}

// progress is the file to which git-lfs writes what its meter shows.
func (p *lfsPair) progress(t *testing.T) string {
	t.Helper()
	file := filepath.Join(p.alice.dir, "progress")
	p.alice.env = append(p.alice.env, "GIT_LFS_PROGRESS="+file)
	return file
}

// mustProgress expects the meter to have moved on the way of a file of a size, up to its end.
func mustProgress(t *testing.T, file, direction string, size int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	steps := regexp.MustCompile(fmt.Sprintf(`(?m)^%s [0-9/]+ ([0-9]+)/%d `, direction, size)).FindAllStringSubmatch(string(text), -1)
	if len(steps) < 3 || steps[len(steps)-1][1] != strconv.Itoa(size) {
		t.Errorf("the meter's steps of %d bytes: %v", size, steps)
	}
}

// git push uploads by the hook pre-push, and git clone downloads by the smudge filter.
func TestLFSPushAndClone(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		p := newLFSPair(t, s, "--bare")
		oids := p.commitFiles(t, lfsSizes)
		steps := p.progress(t)
		p.alice.git(p.clone, "push", "--quiet", "origin", "main")
		mustProgress(t, steps, "upload", lfsSizes["large.bin"])
		p.bob.mustHave(t, p.served, oids)

		p.alice.git(p.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", "again")
		again := filepath.Join(p.alice.dir, "again")
		mustProgress(t, steps, "download", lfsSizes["large.bin"])
		sameFiles(t, again, oids)
		p.alice.mustHave(t, again, oids)
		if status := p.alice.git(again, "status", "--porcelain"); status != "" {
			t.Errorf("the clone has changes: %s", status)
		}
	})
}

// git lfs push, fetch and pull carry objects without git's own push and checkout.
func TestLFSCommands(t *testing.T) {
	t.Parallel()
	p := newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "--bare")
	first := p.commitFiles(t, map[string]int{"middle.bin": 1_000_000, "small.bin": 100})
	second := p.commitFiles(t, map[string]int{"middle.bin": 1_000_001})
	p.alice.env = append(p.alice.env, "GIT_LFS_SKIP_PUSH=1", "GIT_LFS_SKIP_SMUDGE=1")
	p.alice.git(p.clone, "lfs", "push", "origin", "main")
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	p.bob.mustHave(t, p.served, first)
	p.bob.mustHave(t, p.served, second)
	if err := os.Remove(p.bob.lfsObject(p.served, first["middle.bin"])); err != nil {
		t.Fatal(err)
	}
	p.alice.git(p.clone, "lfs", "push", "--all", "origin")
	p.bob.mustHave(t, p.served, first)
	for oid, want := range map[string][]int{first["middle.bin"]: {0, 0}, second["middle.bin"]: {0}} {
		if got := p.bob.offsets(t, oid); !slices.Equal(got, want) {
			t.Errorf("object %s was received from %v on, want %v", oid, got, want)
		}
	}

	p.alice.git(p.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", "again")
	again := filepath.Join(p.alice.dir, "again")
	p.alice.git(again, "lfs", "fetch")
	p.alice.mustHave(t, again, second)
	p.alice.git(again, "lfs", "fetch", "--all")
	p.alice.mustHave(t, again, first)
	p.alice.git(again, "lfs", "pull")
	sameFiles(t, again, map[string]string{"small.bin": first["small.bin"], "middle.bin": second["middle.bin"]})
}

// The files of a served work tree follow a push: their objects have come before it.
func TestLFSWorkTree(t *testing.T) {
	t.Parallel()
	p := newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	oids := p.commitFiles(t, map[string]int{"middle.bin": 1_000_000, "small.bin": 100})
	r := p.alice.gitBoth(p.clone, "push", "origin", "main")
	mustSay(t, r.stderr, "main -> main")
	sameFiles(t, p.served, oids)
	if status := p.bob.git(p.served, "status", "--porcelain"); status != "" {
		t.Errorf("the work tree has changes: %s", status)
	}
	p.bob.mustHave(t, p.served, oids)

	randomFile(t, filepath.Join(p.served, "small.bin"), 200) // and hers follow what he commits there
	p.bob.commit(p.served, "bobs")
	p.alice.git(p.clone, "pull", "--quiet", "origin", "main")
	sameFiles(t, p.clone, map[string]string{"small.bin": hashFile(t, filepath.Join(p.served, "small.bin"))})
}

// Objects go where lfs.storage says, on both sides, and through URLs that only settings of git-lfs's name; the form xmpp:// will do.
func TestLFSSettings(t *testing.T) {
	t.Parallel()
	p := newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "--bare")
	for _, dir := range []string{p.served, p.clone} {
		p.bob.git(dir, "config", "lfs.storage", "elsewhere")
	}
	elsewhere := func(dir, oid string) string {
		return filepath.Join(dir, "elsewhere", "objects", oid[:2], oid[2:4], oid)
	}
	p.alice.git(p.clone, "remote", "set-url", "origin", "xmpp://bob@localhost/proj")
	oid := p.commitFiles(t, map[string]int{"small.bin": 1000})["small.bin"]
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	if got := hashFile(t, elsewhere(p.served, oid)); got != oid {
		t.Errorf("the object is %s", got)
	}

	forge := filepath.Join(p.alice.dir, "forge.git") // git's objects are in one place, those of Git LFS at Bob's
	p.alice.git(p.clone, "init", "--quiet", "--bare", forge)
	p.alice.git(p.clone, "remote", "add", "forge", forge)
	p.alice.git(p.clone, "config", "remote.forge.lfsurl", "xmpp::bob@localhost/proj")
	oid = p.commitFiles(t, map[string]int{"small.bin": 1001})["small.bin"]
	p.alice.git(p.clone, "push", "--quiet", "forge", "main")
	if got := hashFile(t, elsewhere(p.served, oid)); got != oid {
		t.Errorf("the object is %s", got)
	}
	if err := os.RemoveAll(filepath.Join(p.clone, ".git", "elsewhere")); err != nil {
		t.Fatal(err)
	}
	p.alice.git(p.clone, "lfs", "fetch", "forge", "main")
	if got := hashFile(t, elsewhere(filepath.Join(p.clone, ".git"), oid)); got != oid {
		t.Errorf("the object is %s", got)
	}
}

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// With a serve of Alice's own, its connections carry the push and, while that waits, the objects.
func TestLFSThroughServe(t *testing.T) {
	t.Parallel()
	p := newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "--bare")
	p.alice.serve(p.clone)
	oids := p.commitFiles(t, map[string]int{"middle.bin": 3_000_000, "small.bin": 100})
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	p.bob.mustHave(t, p.served, oids)
	p.alice.git(p.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", "again")
	sameFiles(t, filepath.Join(p.alice.dir, "again"), oids)
	trace, err := os.ReadFile(p.alice.trace())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(trace), `msg="connected by the agent"`); got < 4 {
		t.Errorf("%d streams went through serve", got)
	}
}
