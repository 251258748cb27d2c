package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// floodPushMost is how long an honest push may take while there is a flood.
const floodPushMost = 20 * time.Second

// A floodScene is Bob's serve with a repository of Alice's, who is known and hostile, and another of Carol's, who is honest. Dave is a stranger.
type floodScene struct {
	*testing.T
	server            *testserver.Server
	bob, alice, carol *home
	daemon            *daemon
	served, clone     string // Alice's at Bob's, Carol's clone of the other one
	snapshot          map[string]string
	before            floodUse
	pushes            int
}

// A floodUse is what serve uses.
type floodUse struct{ bytes, files, threads, children int }

func (u floodUse) String() string {
	return fmt.Sprintf("%.1f MiB, %d files, %d threads, %d children", mib(u.bytes), u.files, u.threads, u.children)
}

func newFloodScene(t *testing.T, name string, settings ...string) *floodScene {
	t.Helper()
	accounts := make(map[string]string)
	for _, user := range []string{"alice", "bob", "carol", "dave"} {
		accounts[user] = user + "-secret"
	}
	s := testserver.New(t, name, testserver.Options{Accounts: accounts})
	f := &floodScene{T: t, server: s, bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice"), carol: newHome(t, s, "Carol", "carol")}
	for i := 0; i < len(settings); i += 2 {
		f.bob.git(f.bob.dir, "config", "--global", settings[i], settings[i+1])
	}
	f.served = f.bob.newRepo("proj")
	other := f.bob.newRepo("other")
	f.daemon = f.bob.serve(f.bob.dir, f.served, other)
	f.alice.git(f.alice.dir, "ls-remote", f.bob.xmpp(f.served, "invite"))
	f.clone = filepath.Join(f.carol.dir, "clone")
	f.carol.git(f.carol.dir, "clone", "--quiet", f.bob.xmpp(other, "invite"), f.clone)
	f.push("first")
	f.bob.onlyServes(t, f.daemon)
	f.snapshot, f.before = snapshot(t, f.served), f.use()
	return f
}

// push is one of Carol's, which must work and not take long.
func (f *floodScene) push(when string) {
	f.Helper()
	f.pushes++
	pushed := f.carol.commit(f.clone, fmt.Sprintf("push%d", f.pushes))
	began := time.Now()
	ctx, cancel := context.WithTimeout(f.Context(), 2*floodPushMost)
	defer cancel()
	cmd := f.carol.command(f.clone, "git", "push", "--quiet", "origin", "main")
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	r := run(f, cmd)
	took := time.Since(began)
	f.Logf("%s: Carol's push took %v; serve: %v", when, took.Round(time.Millisecond), f.use())
	if r.status != 0 || took > floodPushMost {
		f.Fatalf("%s: Carol's push, after %v: %v", when, took, r)
	}
	if got := f.bob.git(filepath.Join(f.bob.dir, "other"), "rev-parse", "main"); got != pushed {
		f.Errorf("%s: main is %s, want %s", when, got, pushed)
	}
}

// use is what serve uses now.
func (f *floodScene) use() floodUse {
	f.Helper()
	pid := f.daemon.cmd.Process.Pid
	return floodUse{
		bytes: statusField(f, pid, "VmRSS") << 10, files: f.daemon.files(f.T), threads: statusField(f, pid, "Threads"), children: len(f.bob.processes()) - 1,
	}
}

// statusField is a number of proc(5)'s status of a process.
func statusField(t testing.TB, pid int, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+)`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no %s in %s", name, status)
	}
	n, _ := strconv.Atoi(string(m[1])) // digits, by the pattern
	return n
}

// bounded expects that serve has grown by no more than so much, and that the flood has started nothing: what serve does after a push of Carol's may end first.
func (f *floodScene) bounded(what string, most floodUse) {
	f.Helper()
	now := f.use()
	f.Logf("%s: serve used %v, now %v", what, f.before, now)
	if now.bytes > f.before.bytes+most.bytes {
		f.Errorf("%s: serve has grown from %v to %v, by more than %v", what, f.before, now, most)
	}
	await(f, fmt.Sprintf("%s: serve to have at most %d files and %d children more than %v", what, most.files, most.children, f.before), func() bool {
		now := f.use()
		return now.files <= f.before.files+most.files && now.children <= most.children
	})
}

// ended expects that nothing of the flood has changed the repository, that nothing of it runs, and that Carol can push.
func (f *floodScene) ended() {
	f.Helper()
	f.push("after all")
	f.bob.onlyServes(f.T, f.daemon)
	sameSnapshot(f.T, f.snapshot, snapshot(f.T, f.served))
	f.bob.git(f.served, "fsck", "--strict")
}
