package integration

import (
	"context"
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// benchDataBytes is how much random data is pushed, cloned and sent as bare messages.
const (
	benchDataBytes = 8 << 20
	// plainPush is a push without git's attempts at making random data smaller, which take longer than the tunnel does.
	plainPush = "git push, no deltas or compression"
	// benchSmallBytes is the size of the file in a small commit.
	benchSmallBytes = 64
)

// benchRepos are the repositories that are pushed to or cloned, with the bytes of data in them to begin with.
var benchRepos = map[string]int{"large": benchSmallBytes, "plain": benchSmallBytes, "small": benchSmallBytes, "fetched": benchDataBytes}

// benchOver is what the benchmark measures over one server.
func benchOver(b *testing.B, s *testserver.Server, ssh []*benchRow) []*benchRow {
	b.Helper()
	data := benchRandom(benchDataBytes)
	var bare []*benchRow
	for _, shape := range bareShapes {
		bare = append(bare, &benchRow{over: s.Name, name: shape.String(), bytes: len(data),
			measure: func() time.Duration { return bareTransfer(b, s, shape, data) }})
	}
	for _, r := range bare {
		r.against = bare
	}
	bob, alice := newHome(b, s, "Bob", "bob"), newHome(b, s, "Alice", "alice")
	served := map[string]string{}
	for name, size := range benchRepos {
		served[name] = bob.newBenchRepo(name, size)
	}
	bob.serve(bob.dir, slices.Collect(maps.Values(served))...)
	url := func(name string) string { return bob.xmpp(served[name], "invite") }
	large, small := alice.newBenchPusher(url("large"), served["large"]), alice.newBenchPusher(url("small"), served["small"])
	plain := alice.newBenchPusher(url("plain"), served["plain"])
	uncompressed(plain)
	alice.git(alice.dir, "clone", "--quiet", url("fetched"), "first")
	stream := newBenchStream(b, s, data)
	row := func(name string, bytes int, against []*benchRow, measure func() time.Duration) *benchRow {
		return &benchRow{over: s.Name, name: name, bytes: bytes, against: against, measure: measure}
	}
	return append(bare,
		row("one QUIC stream", len(data), bare, stream.transfer),
		row("git push", len(data), bare, func() time.Duration { return large.push(benchDataBytes) }),
		row(plainPush, len(data), bare, func() time.Duration { return plain.push(benchDataBytes) }),
		row("git clone", len(data), bare, func() time.Duration { return alice.timedClone("xmpp::bob@localhost/fetched") }),
		row("git push, one small commit", 0, ssh, func() time.Duration { return small.push(benchSmallBytes) }),
	)
}

// benchLocal is what git needs by itself.
func benchLocal(b *testing.B, h *home) []*benchRow {
	b.Helper()
	served := map[string]string{}
	for name, size := range benchRepos {
		served[name] = h.newBenchRepo(name, size)
	}
	url := func(name string) string { return "file://" + filepath.ToSlash(served[name]) }
	large, small, plain := h.newBenchPusher(url("large"), served["large"]), h.newBenchPusher(url("small"), served["small"]), h.newBenchPusher(url("plain"), served["plain"])
	uncompressed(plain)
	row := func(name string, bytes int, measure func() time.Duration) *benchRow {
		return &benchRow{over: "file://", name: name, bytes: bytes, measure: measure}
	}
	return []*benchRow{
		row("git push", benchDataBytes, func() time.Duration { return large.push(benchDataBytes) }),
		row(plainPush, benchDataBytes, func() time.Duration { return plain.push(benchDataBytes) }),
		row("git clone", benchDataBytes, func() time.Duration { return h.timedClone(url("fetched")) }),
		row("git push, one small commit", 0, func() time.Duration { return small.push(benchSmallBytes) }),
	}
}

// benchSSH is a push over ssh to this machine.
func benchSSH(b *testing.B, h *home) []*benchRow {
	b.Helper()
	sshd := benchSSHD(b, testserver.Place{})
	h.env = append(h.env, "GIT_SSH_COMMAND="+sshd.Command)
	served := h.newBenchRepo("ssh", benchSmallBytes)
	p := h.newBenchPusher(sshd.URL(served), served)
	return []*benchRow{{over: "ssh", name: "git push, one small commit", measure: func() time.Duration { return p.push(benchSmallBytes) }}}
}

// benchSSHD starts sshd at a place, until the end of the benchmark.
func benchSSHD(b *testing.B, place testserver.Place) *testserver.SSHServer {
	b.Helper()
	testserver.Require(b, testserver.SSHD)
	ctx, cancel := context.WithTimeout(b.Context(), deadline)
	defer cancel()
	sshd, err := testserver.StartSSHD(ctx, "", place)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := sshd.Stop(); err != nil {
			b.Error(err)
		}
	})
	return sshd
}

func benchRandom(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data) // never fails
	return data
}

// newBenchRepo makes a bare repository with a file of size random bytes, in one pack as after git gc.
func (h *home) newBenchRepo(name string, size int) string {
	h.t.Helper()
	work := h.newRepo(name + "-work")
	if err := os.WriteFile(filepath.Join(work, "data"), benchRandom(size), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.commit(work, "second")
	bare := filepath.Join(h.dir, "bare", name+".git")
	h.git(h.dir, "clone", "--quiet", "--bare", work, bare)
	h.git(bare, "repack", "-a", "-d", "--quiet")
	return bare
}

// timedClone clones without a checkout, and returns the time that took.
func (h *home) timedClone(url string) time.Duration {
	h.t.Helper()
	dir := filepath.Join(h.dir, "timed")
	begin := time.Now()
	h.git(h.dir, "clone", "--quiet", "--no-checkout", url, dir)
	took := time.Since(begin)
	h.git(dir, "cat-file", "-e", "HEAD:data")
	if err := os.RemoveAll(dir); err != nil {
		h.t.Fatal(err)
	}
	return took
}

// A benchPusher is a clone from which one commit after the other is pushed.
type benchPusher struct {
	*home
	dir    string
	served string // the repository that is pushed to
	n      int
}

// newBenchPusher clones a repository and pushes once to it, so that what happens once has happened.
func (h *home) newBenchPusher(url, served string) *benchPusher {
	h.t.Helper()
	p := &benchPusher{home: h, dir: filepath.Join(h.dir, "clone-of-"+strings.TrimSuffix(filepath.Base(served), ".git")), served: served}
	h.git(h.dir, "clone", "--quiet", url, p.dir)
	p.push(benchSmallBytes)
	return p
}

// uncompressed has git keep and send objects as they are, on both sides.
func uncompressed(p *benchPusher) {
	for _, dir := range []string{p.dir, p.served} {
		p.git(dir, "config", "core.compression", "0")
		p.git(dir, "config", "core.bigFileThreshold", "1m")
	}
}

// push commits size random bytes and returns the time that pushing them took, with these options of git's.
func (p *benchPusher) push(size int, options ...string) time.Duration {
	p.t.Helper()
	p.n++
	name := filepath.Join(p.dir, "data")
	if err := os.WriteFile(name, benchRandom(size), 0o600); err != nil {
		p.t.Fatal(err)
	}
	commit := p.commit(p.dir, "push-"+strconv.Itoa(p.n))
	begin := time.Now()
	p.git(p.dir, append(options, "push", "--quiet", "origin", "main")...)
	took := time.Since(begin)
	if got := p.git(p.served, "rev-parse", "refs/heads/main"); got != commit {
		p.t.Fatalf("after the push main there is %q, not %s", got, commit)
	}
	return took
}

// list looks at the refs and returns the time that took.
func (p *benchPusher) list() time.Duration {
	p.t.Helper()
	begin := time.Now()
	refs := p.git(p.dir, "ls-remote", "--quiet", "origin")
	took := time.Since(begin)
	if !strings.Contains(refs, "refs/heads/main") {
		p.t.Fatalf("the refs there are %q", refs)
	}
	return took
}
