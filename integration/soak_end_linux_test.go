package integration

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// soakThreads is how many threads serve may have more than at the start: Go keeps those that it once needed, for git processes that it waited for.
	soakThreads = 32
	// soakAtOnceMost is how long the last push of a client may take, when nothing else goes on.
	soakAtOnceMost = 15 * time.Second
	// goroutinesOfHandshake is how many a connection has that is still in its handshake. Of a client that was killed then it is given up after a
	// minute, and no status shows it.
	goroutinesOfHandshake = 3
)

// A usage is what serve uses.
type usage struct{ files, threads, bytes int }

func (u usage) String() string {
	return fmt.Sprintf("%d files, %d threads, %.1f MiB", u.files, u.threads, mib(u.bytes))
}

func (s *soak) usage() usage {
	s.Helper()
	return usageOf(s.T, s.daemon.cmd.Process.Pid)
}

func usageOf(t testing.TB, pid int) usage {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", pid)
	files, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	field := func(name string) int {
		m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+)`).FindSubmatch(status)
		if m == nil {
			t.Fatalf("no %s in %s", name, status)
		}
		n, _ := strconv.Atoi(string(m[1])) // digits, by the pattern
		return n
	}
	return usage{files: len(files), threads: field("Threads"), bytes: field("VmRSS") << 10}
}

// goroutines ends serve and returns how many goroutines it had, without those of handshakes.
func (s *soak) goroutines() int {
	s.Helper()
	if err := s.daemon.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		s.Fatal(err)
	}
	select {
	case <-s.daemon.ended:
		s.daemon.ended <- nil
	case <-time.After(deadline):
		s.Fatal("serve doesn't end at a SIGQUIT")
	}
	n := len(regexp.MustCompile(`(?m)^goroutine \d+ `).FindAll(s.daemon.stderr.Bytes(), -1))
	if n == 0 {
		s.Fatalf("no goroutines in %s", s.daemon.stderr)
	}
	return n - goroutinesOfHandshake*bytes.Count(s.daemon.stderr.Bytes(), []byte("created by crypto/tls.(*QUICConn).Start"))
}

// settle waits until serve is as it was.
func (s *soak) settle(before usage) {
	s.Helper()
	s.bob.onlyServes(s.T, s.daemon)
	for _, h := range s.people {
		h.onlyServes(s.T, nil)
	}
	for _, r := range s.repos {
		await(s.T, "nothing half done in "+r.name, func() bool { return len(remains(s.T, r.dir)) == 0 })
	}
	defer func() { s.Logf("serve: at the start %v, at the end %v", before, s.usage()) }()
	await(s.T, "serve to close its files", func() bool { return s.usage().files <= before.files })
	if after := s.usage(); after.threads > before.threads+soakThreads || after.bytes > maxServeBytes {
		s.Errorf("serve has grown from %v to %v", before, after)
	}
}

// lastPushes lets every client push once more: nothing is in its way.
func (s *soak) lastPushes() {
	s.Helper()
	var slowest time.Duration
	for _, c := range s.clients {
		began := time.Now()
		if err := c.push(c.branch, fault{}); err != nil {
			s.Errorf("the last push of %s: %v", c.branch, err)
		}
		slowest = max(slowest, time.Since(began))
	}
	s.Logf("the slowest of the last pushes took %v", slowest.Round(time.Millisecond))
	if slowest > soakAtOnceMost {
		s.Error("something was in its way")
	}
}

// kept checks that all repositories are sound and have what clients were told they have.
func (s *soak) kept() {
	s.Helper()
	promises := 0
	for _, c := range s.clients {
		s.bob.in(s.T).git(c.repo.dir, "rev-parse", "refs/heads/"+c.branch)
		uuid := c.home.git(c.dir, "config", "xmpp.uuid")
		there := map[string]string{c.branch: s.history(c.repo, uuid, c.branch), "main": s.history(c.repo, uuid, "main")}
		for _, p := range c.told {
			if promises++; !strings.Contains(there[p.branch], p.commit) {
				s.Errorf("%s was told that %s is on %s of %s, and it isn't", c.branch, p.commit, p.branch, c.repo.name)
			}
		}
		if r := c.home.try(c.dir, "git", "fsck", "--strict", "--no-dangling"); r.status != 0 {
			s.Errorf("%s: %v", c.dir, r)
		}
	}
	for _, r := range s.repos {
		if fsck := s.bob.try(r.dir, "git", "fsck", "--strict", "--no-dangling"); fsck.status != 0 {
			s.Errorf("%s: %v", r.name, fsck)
		}
		if r.name == "tree" {
			if changed := s.bob.git(r.dir, "status", "--porcelain"); changed != "" {
				s.Errorf("the work tree isn't clean: %s", changed)
			}
		}
	}
	s.Logf("%d pushes are where they were said to be", promises)
}

// history is what can be reached from a branch and from a client's fallback ref for it.
func (s *soak) history(r *soakRepo, uuid, branch string) string {
	s.Helper()
	var refs bytes.Buffer
	refs.WriteString("refs/heads/" + branch + "\n")
	if s.bob.try(r.dir, "git", "rev-parse", "--verify", "--quiet", filepath.ToSlash(filepath.Join("refs", "synced", uuid, branch))).status == 0 {
		refs.WriteString("refs/synced/" + uuid + "/" + branch + "\n")
	}
	cmd := s.bob.command(r.dir, "git", "rev-list", "--stdin")
	cmd.Stdin = &refs
	list := run(s.T, cmd)
	if list.status != 0 {
		s.Fatalf("git rev-list of %s: %v", r.name, list)
	}
	return list.stdout
}
