package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	cutBytes  = 2_000_000 // of an object that is cut off
	someBytes = 300_000   // that have come in by then
)

// lfsPartial is the size of the one partial object below the folder of a repository, or 0.
func lfsPartial(t *testing.T, gitDir string) (size int, path string) {
	t.Helper()
	for _, file := range filesIn(t, filepath.Join(gitDir, "lfs", "incomplete")) {
		if info, err := os.Stat(file); err == nil && strings.HasSuffix(file, ".part") {
			return int(info.Size()), file
		}
	}
	return 0, ""
}

// awaitLFSPartial waits until a good part of an object has come in.
func awaitLFSPartial(t *testing.T, gitDir string) {
	t.Helper()
	await(t, "a part of the object", func() bool { size, _ := lfsPartial(t, gitDir); return size >= someBytes })
}

// awaitLFSEnd waits until nobody writes to a partial object any more.
func awaitLFSEnd(t *testing.T, gitDir string) {
	t.Helper()
	await(t, "the end of the transfer", func() bool {
		return !slices.ContainsFunc(filesIn(t, filepath.Join(gitDir, "lfs", "incomplete")), func(f string) bool { return strings.HasSuffix(f, ".lock") })
	})
}

// lfsCutOff is a pair over a server that is slow enough to cut transfers off in their middle, and an object to upload.
func lfsCutOff(t *testing.T) (p *lfsPair, oid string) {
	t.Helper()
	p = newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{BytesPerSecond: slowBytesPerSecond}), "--bare")
	return p, p.commitFiles(t, map[string]int{"cut.bin": cutBytes})["cut.bin"]
}

// mustResume expects that an object was received once, and not from its beginning but from where it was cut off.
func (h *home) mustResume(t *testing.T, oid string, from int) {
	t.Helper()
	if got := h.offsets(t, oid); from < someBytes || !slices.Equal(got, []int{from}) {
		t.Errorf("the object was received from %v on, want %d", got, from)
	}
}

// An upload that is interrupted goes on from where it was.
func TestLFSUploadResumed(t *testing.T) {
	t.Parallel()
	p, oid := lfsCutOff(t)
	push := p.alice.start(t, p.clone, "push", "origin", "main")
	awaitLFSPartial(t, p.served)
	if err := syscall.Kill(-push.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if r := push.wait(t); r.status == 0 {
		t.Errorf("push: %v", r)
	}
	p.alice.onlyServes(t, nil)
	awaitLFSEnd(t, p.served)
	there, _ := lfsPartial(t, p.served)
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	p.bob.mustResume(t, oid, there)
	p.bob.mustHave(t, p.served, map[string]string{"cut.bin": oid})
}

// An upload whose serving side is killed goes on from where it was.
func TestLFSUploadResumedByAnotherServe(t *testing.T) {
	t.Parallel()
	p, oid := lfsCutOff(t)
	upload := p.alice.start(t, p.clone, "lfs", "push", "origin", "main")
	awaitLFSPartial(t, p.served)
	p.daemon.kill()
	there, _ := lfsPartial(t, p.served)
	p.bob.serve(p.served) // the old connection is told that it is gone
	r := upload.wait(t)
	if r.status == 0 {
		t.Errorf("upload: %v", r)
	}
	mustSay(t, r.stderr, "[5] bob@localhost/proj: ")
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	p.bob.mustResume(t, oid, there)
	p.bob.mustHave(t, p.served, map[string]string{"cut.bin": oid})
}

// A download that is killed goes on from where it was, unless what is there is wrong: then it starts anew.
func TestLFSDownloadResumed(t *testing.T) {
	t.Parallel()
	p, oid := lfsCutOff(t)
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	p.alice.env = append(p.alice.env, "GIT_LFS_SKIP_SMUDGE=1")
	for name, spoilt := range map[string]bool{"whole": false, "spoilt": true} {
		again := filepath.Join(p.alice.dir, name)
		p.alice.git(p.alice.dir, "clone", "--quiet", "xmpp::bob@localhost/proj", again)
		fetch := p.alice.start(t, again, "lfs", "fetch")
		awaitLFSPartial(t, filepath.Join(again, ".git"))
		if err := syscall.Kill(-fetch.cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		fetch.wait(t)
		p.alice.onlyServes(t, nil)
		there, path := lfsPartial(t, filepath.Join(again, ".git"))
		if spoilt {
			spoil(t, path)
			there = 0
		}
		if err := os.Remove(p.alice.trace()); err != nil {
			t.Fatal(err)
		}
		p.alice.git(again, "lfs", "fetch")
		if got := p.alice.offsets(t, oid); !slices.Equal(got, []int{there}) || !spoilt && there < someBytes {
			t.Errorf("%s: the object was received from %v on, want %d", name, got, there)
		}
		p.alice.mustHave(t, again, map[string]string{"cut.bin": oid})
	}
}

// A part that is wrong is thrown away on the serving side, too, and the object sent anew.
func TestLFSSpoiltUpload(t *testing.T) {
	t.Parallel()
	p, oid := lfsCutOff(t)
	upload := p.alice.start(t, p.clone, "lfs", "push", "origin", "main")
	awaitLFSPartial(t, p.served)
	if err := syscall.Kill(-upload.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	upload.wait(t)
	awaitLFSEnd(t, p.served)
	_, path := lfsPartial(t, p.served)
	spoil(t, path)
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	if got := p.bob.offsets(t, oid); !slices.Equal(got, []int{0}) {
		t.Errorf("the object was received from %v on", got)
	}
	p.bob.mustHave(t, p.served, map[string]string{"cut.bin": oid})
}

// spoil changes the first bytes of a file.
func spoil(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("spoilt"); err != nil {
		t.Fatal(err)
	}
}

// A push waits for its upload, however long that takes while it moves.
func TestLFSUploadLongerThanTimeout(t *testing.T) {
	t.Parallel()
	p := newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{BytesPerSecond: 200_000}), "--bare")
	p.daemon.stop()
	for _, h := range []*home{p.bob, p.alice} {
		h.env = append(h.env, "GIT_XMPP_TIMEOUT=6")
	}
	p.bob.serve(p.served)
	oids := p.commitFiles(t, map[string]int{"cut.bin": 2_000_000})
	began := time.Now()
	p.alice.git(p.clone, "push", "--quiet", "origin", "main")
	if took := time.Since(began); took < 9*time.Second {
		t.Fatalf("the upload took %v: too fast for this test", took)
	}
	p.bob.mustHave(t, p.served, oids)
	if got, want := p.bob.git(p.served, "rev-parse", "main"), p.alice.git(p.clone, "rev-parse", "main"); got != want {
		t.Errorf("main is %s, want %s", got, want)
	}
}
