package integration

import (
	"bytes"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A slow server makes sure that a transfer runs when it is cut off.
const (
	slowBytesPerSecond = 1_000_000
	largeBytes         = 3 << 20
	flowingBytes       = 100_000 // of a pack that has come in
)

// slowPair is a pair over a slow server, whose clone has a large commit that isn't pushed.
func slowPair(t *testing.T, name string) *pair {
	t.Helper()
	p := newPair(t, testserver.New(t, name, testserver.Options{BytesPerSecond: slowBytesPerSecond}))
	p.bob.git(p.served, "config", "receive.unpackLimit", "1") // a pack that can be seen to grow
	for _, h := range []*home{p.bob, p.alice} {
		h.git(h.dir, "config", "--global", "xmpp.directPath", "never")
	}
	p.alice.git(p.clone, "push", "--quiet", "origin", "main") // the first one makes folders
	randomFile(t, filepath.Join(p.clone, "blob"), largeBytes)
	p.alice.commit(p.clone, "large")
	return p
}

// A started command, in a process group of its own.
type started struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan error
}

// start runs git in a process group of its own, as a shell does.
func (h *home) start(t *testing.T, dir string, args ...string) *started {
	t.Helper()
	s := &started{cmd: h.command(dir, "git", args...), ended: make(chan error, 1)}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Stderr = &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	return s
}

// wait is how the command ended.
func (s *started) wait(t *testing.T) result {
	t.Helper()
	select {
	case <-s.ended:
	case <-time.After(deadline):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // ours
		<-s.ended
		t.Fatalf("git doesn't end: %s", &s.stderr)
	}
	return result{status: s.cmd.ProcessState.ExitCode(), stderr: s.stderr.String()}
}

// ctrlC is what a terminal does, when data of a transfer flows into a folder.
func (s *started) ctrlC(t *testing.T, into string) {
	t.Helper()
	await(t, "data to flow", func() bool { return incoming(into) >= flowingBytes })
	if err := syscall.Kill(-s.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

// incoming is the size of a pack that comes in.
func incoming(repository string) (bytes int64) {
	_ = filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), "tmp_pack_") {
			if info, err := d.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil // what vanishes isn't incoming
	})
	return bytes
}

// git push and Ctrl-C: nothing runs any more, the repository is as before, and the next push works.
func TestInterruptedPush(t *testing.T) {
	t.Parallel()
	for _, name := range testserver.XMPP {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := slowPair(t, name)
			before := snapshot(t, p.served, p.bob.dataDir(), p.alice.dir)
			push := p.alice.start(t, p.clone, "push", "origin", "main")
			push.ctrlC(t, p.served)
			began := time.Now()
			r := push.wait(t)
			if said := linesWith(r.stderr, ourPrefix); r.status == 0 || len(said) != 1 || said[0] != "interrupted" {
				t.Errorf("push: %v", r)
			}
			p.alice.onlyServes(t, nil)
			p.bob.onlyServes(t, p.daemon)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the serving side gave up after %v: it wasn't told", took)
			}
			if left := remains(t, p.served); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			sameSnapshot(t, before, snapshot(t, p.served, p.bob.dataDir(), p.alice.dir))
			p.bob.git(p.served, "fsck", "--strict")
			p.alice.git(p.clone, "push", "--quiet", "origin", "main")
			if got, want := p.bob.git(p.served, "rev-parse", "main"), p.alice.git(p.clone, "rev-parse", "main"); got != want {
				t.Errorf("main is %s, want %s", got, want)
			}
		})
	}
}

// git clone with an invite and Ctrl-C: the same home can use the invite again, another can't.
func TestInterruptedClone(t *testing.T) {
	t.Parallel()
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{BytesPerSecond: slowBytesPerSecond}))
	randomFile(t, filepath.Join(p.served, "blob"), largeBytes)
	p.bob.commit(p.served, "large")
	carol := newHome(t, p.server, "Carol", "carol")
	carol.git(carol.dir, "config", "--global", "xmpp.directPath", "never")
	invite := p.bob.xmpp(p.served, "invite")
	served := snapshot(t, p.served)

	clone := carol.start(t, carol.dir, "clone", invite, "clone")
	clone.ctrlC(t, filepath.Join(carol.dir, "clone"))
	r := clone.wait(t)
	if said := linesWith(r.stderr, ourPrefix); r.status == 0 || len(said) != 1 || said[0] != "interrupted" {
		t.Errorf("clone: %v", r)
	}
	noSecrets(t, r, append(inviteSecrets(t, invite), p.secrets...))
	carol.onlyServes(t, nil)
	p.bob.onlyServes(t, p.daemon)
	sameSnapshot(t, served, snapshot(t, p.served))

	carol.git(carol.dir, "clone", "--quiet", invite, "clone")
	carol.git(filepath.Join(carol.dir, "clone"), "fsck", "--strict")
	r = p.alice.try(p.alice.dir, "git", "clone", invite, "stolen")
	if said := linesWith(r.stderr, refusalPrefix); r.status == 0 || len(said) != 1 || said[0] != "bob@localhost/proj: the invite has been used" {
		t.Errorf("clone by another: %v", r)
	}
}

// serve is stopped with a push running: both end, say so, and leave nothing.
func TestServeStoppedInPush(t *testing.T) {
	t.Parallel()
	p := slowPair(t, testserver.Prosody)
	randomFile(t, filepath.Join(p.clone, "more"), 16*slowBytesPerSecond) // more than can be sent until it is cancelled
	p.alice.commit(p.clone, "more")
	before := snapshot(t, p.served, p.bob.dataDir(), p.alice.dir)
	push := p.alice.start(t, p.clone, "push", "origin", "main")
	await(t, "data to flow", func() bool { return incoming(p.served) >= flowingBytes })
	began := time.Now()
	p.daemon.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("serve took %v to stop", took)
	}
	r := push.wait(t)
	if said := linesWith(r.stderr, ourPrefix); r.status == 0 || len(said) != 1 || said[0] != "bob@localhost/proj: the serving side is stopping" {
		t.Errorf("push: %v", r)
	}
	p.alice.onlyServes(t, nil)
	p.bob.onlyServes(t, nil)
	sameSnapshot(t, before, snapshot(t, p.served, p.bob.dataDir(), p.alice.dir))
	p.bob.git(p.served, "fsck", "--strict")

	p.bob.serve(p.served)
	p.alice.git(p.clone, "push", "--quiet", "origin", "main~2:main")
}
