package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	// processorBytes is how much is pushed and cloned, unless BENCH_PROCESSOR_BYTES says otherwise.
	processorBytes  = 64 << 20
	processorRounds = 3
)

// BenchmarkProcessor measures how much processor time a push and a clone take, and whose: on one machine rates say what all take together.
func BenchmarkProcessor(b *testing.B) {
	size := int(number(b, "BENCH_PROCESSOR_BYTES", processorBytes))
	var rows []*benchRow
	for _, name := range testserver.XMPP {
		rows = append(rows, newProcessorScene(b, name, size).rows()...)
	}
	benchReport(b, "processor", rows, processorRounds, fmt.Sprintf("Processor time per MB, of which the packs have %.0f, without deltas or compression. Git's is that of both sides.", float64(size)/1e6))
}

// A processorScene is Alice, who pushes to Bob and clones from him.
type processorScene struct {
	b          *testing.B
	server     *testserver.Server
	bob, alice *home
	daemon     *daemon
	clone      string
	report     string // of helpers' runs
	size, n    int
}

func newProcessorScene(b *testing.B, name string, size int) *processorScene {
	b.Helper()
	s := benchServer(b, name, testserver.Options{})
	p := &processorScene{b: b, server: s, bob: newHome(b, s, "Bob", "bob"), alice: newHome(b, s, "Alice", "alice"), size: size}
	for _, h := range []*home{p.bob, p.alice} {
		h.git(h.dir, "config", "--global", "core.compression", "0")
		h.git(h.dir, "config", "--global", "core.bigFileThreshold", "1m")
	}
	served := p.bob.newRepo("proj", "--bare")
	p.daemon = p.bob.serve(served)
	p.clone = filepath.Join(p.alice.dir, "clone")
	p.alice.git(p.alice.dir, "clone", "--quiet", p.bob.xmpp(served, "invite"), p.clone)
	p.report = measureHelper(b, p.alice)
	return p
}

// spent is processor time by who has spent it.
type spent struct{ helper, serve, git, server time.Duration }

// measure runs Alice's git and returns what that took of everybody.
func (p *processorScene) measure(dir string, args ...string) spent {
	p.b.Helper()
	serve, gits := processorTime(p.b, p.daemon.cmd.Process.Pid)
	server, _ := processorTime(p.b, p.server.PID())
	cmd := p.alice.command(dir, "git", args...)
	if r := run(p.b, cmd); r.status != 0 {
		p.b.Fatalf("git %v: %v", args, r)
	}
	p.n++
	helper := lastRun(p.b, p.report, p.n).processor
	all := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() // the helper among it
	serveNow, gitsNow := processorTime(p.b, p.daemon.cmd.Process.Pid)
	serverNow, _ := processorTime(p.b, p.server.PID())
	return spent{helper: helper, serve: serveNow - serve, git: all - helper + gitsNow - gits, server: serverNow - server}
}

func (p *processorScene) push() spent {
	p.b.Helper()
	if err := os.WriteFile(filepath.Join(p.clone, "data"), benchRandom(p.size), 0o600); err != nil {
		p.b.Fatal(err)
	}
	p.alice.commit(p.clone, fmt.Sprintf("push-%d", p.n))
	return p.measure(p.clone, "push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
}

// fetch clones the last push alone.
func (p *processorScene) fetch() spent {
	p.b.Helper()
	dir := filepath.Join(p.alice.dir, "again")
	took := p.measure(p.alice.dir, "clone", "--quiet", "--no-checkout", "--depth", "1", "--branch", "main", "xmpp::bob@localhost/proj", dir)
	if err := os.RemoveAll(dir); err != nil {
		p.b.Fatal(err)
	}
	return took
}

func (p *processorScene) rows() []*benchRow {
	var rows []*benchRow
	for _, kind := range []struct {
		name string
		do   func() spent
	}{{"git push", p.push}, {"git clone", p.fetch}} {
		var last spent
		row := func(who string, of func() time.Duration) *benchRow {
			return &benchRow{over: p.server.Name + ", " + kind.name, name: who, scale: "ms/MB", number: func() float64 { return of().Seconds() * 1e3 / (float64(p.size) / 1e6) }}
		}
		rows = append(rows,
			row("helper", func() time.Duration { last = kind.do(); return last.helper }),
			row("serve", func() time.Duration { return last.serve }),
			row("git", func() time.Duration { return last.git }),
			row("server", func() time.Duration { return last.server }))
	}
	return rows
}
