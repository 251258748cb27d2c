package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

const (
	// bigEnv has to be 1 for benchmarks that take long.
	bigEnv = "BENCH_BIG"
	// What is big, unless BENCH_BIG_REFS, BENCH_BIG_OBJECTS, BENCH_BIG_BYTES and BENCH_BIG_PUSHES say otherwise.
	bigRefs, bigObjects, bigBytes, bigPushes = 100_000, 100_000, 1 << 30, 1000
)

func needBig(b *testing.B) {
	b.Helper()
	if os.Getenv(bigEnv) != "1" {
		b.Skip("it takes long: make bench-big")
	}
}

// BenchmarkBig measures a large file, many refs, many small objects and many pushes in a row over ejabberd, which isn't what limits them, and holds memory and descriptors to
// their limits.
func BenchmarkBig(b *testing.B) {
	needBig(b)
	g := newBulk(b, benchServer(b, testserver.Ejabberd, testserver.Options{}))
	rows := g.fileRows(int(number(b, "BENCH_BIG_BYTES", bigBytes)))
	rows = append(rows, g.objectRows(int(number(b, "BENCH_BIG_OBJECTS", bigObjects)))...)
	rows = append(rows, g.refRows(int(number(b, "BENCH_BIG_REFS", bigRefs)))...)
	rows = append(rows, g.pushRows(int(number(b, "BENCH_BIG_PUSHES", bigPushes)))...)
	benchReport(b, "big", rows, 1, "Over ejabberd, in which everything has passed, once. The ratio is to the same over a local path (file://).")
	g.hold()
}

// A bulk is Bob and Alice with much.
type bulk struct {
	b          *testing.B
	bob, alice *home
	base       string // of what Bob serves
	daemon     *daemon
	report     string // of helpers' memory
}

func newBulk(b *testing.B, s *testserver.Server) *bulk {
	b.Helper()
	g := &bulk{b: b, bob: newHome(b, s, "Bob", "bob"), alice: newHome(b, s, "Alice", "alice")}
	for _, h := range []*home{g.bob, g.alice} {
		for key, value := range map[string]string{"core.compression": "0", "core.bigFileThreshold": "1m"} {
			h.git(h.dir, "config", "--global", key, value)
		}
	}
	g.base = filepath.Join(g.bob.dir, "base")
	first := g.bob.newRepo("base/first")
	g.daemon = g.bob.serve(g.bob.dir, "--base-path", g.base, "--export-all")
	g.alice.git(g.alice.dir, "ls-remote", g.bob.xmpp(first, "invite"))
	g.report = measureHelper(b, g.alice)
	return g
}

// newServed makes a repository that Alice may push to, and returns its folder and its URLs: ours, and the local one.
func (g *bulk) newServed(name string) (dir string, urls []string) {
	g.b.Helper()
	dir = g.bob.newRepo(filepath.Join("base", name+".git"), "--bare")
	g.bob.xmpp(dir, "peers", "set", g.alice.key(), "--access", "write", ".")
	local := g.bob.newRepo(filepath.Join("local", name+".git"), "--bare")
	return dir, []string{"xmpp::bob@localhost/" + name, "file://" + filepath.ToSlash(local)}
}

// timedRows are Alice's git with our URL, compared with that with a local one.
func (g *bulk) timedRows(over, name string, bytes int, urls []string, args func(n int, url string) (dir string, args []string)) []*benchRow {
	var rows []*benchRow
	for n, url := range urls {
		rows = append(rows, &benchRow{over: over, name: name + []string{"", ", file://"}[n], bytes: bytes, measure: func() time.Duration {
			dir, args := args(n, url)
			begin := time.Now()
			g.alice.git(dir, args...)
			return time.Since(begin)
		}})
	}
	rows[0].against = rows[1:]
	return rows
}

func (g *bulk) fileRows(size int) []*benchRow {
	_, urls := g.newServed("file")
	work, over := g.alice.newRepo("file"), fmt.Sprintf("a file of %d MiB", size>>20)
	g.randomData(filepath.Join(work, "data"), size)
	g.alice.commit(work, "large")
	rows := g.timedRows(over, "push", size, urls, func(_ int, url string) (string, []string) {
		return work, []string{"push", "--quiet", url, "main"}
	})
	rows = append(rows, g.timedRows(over, "clone", size, urls, g.clone("file"))...)
	return append(rows,
		&benchRow{over: over, name: "peak of a helper", scale: "MiB", number: func() float64 { return mib(highestPeak(g.b, g.report)) }},
		&benchRow{over: over, name: "peak of serve", scale: "MiB", number: func() float64 { return mib(peakOf(g.b, g.daemon.cmd.Process.Pid)) }})
}

// clone is a clone without a checkout.
func (g *bulk) clone(name string) func(n int, url string) (string, []string) {
	return func(n int, url string) (string, []string) {
		return g.alice.dir, []string{"clone", "--quiet", "--no-checkout", "--branch", "main", url, fmt.Sprintf("%s-%d", name, n)}
	}
}

func (g *bulk) objectRows(n int) []*benchRow {
	_, urls := g.newServed("objects")
	work, over := g.alice.newRepo("objects", "--bare"), fmt.Sprintf("%d small objects", n)
	g.importObjects(work, n)
	rows := g.timedRows(over, "push", 0, urls, func(_ int, url string) (string, []string) {
		return work, []string{"push", "--quiet", url, "main"}
	})
	return append(rows, g.timedRows(over, "clone", 0, urls, g.clone("objects"))...)
}

// importObjects makes a commit with n small files.
func (g *bulk) importObjects(dir string, n int) {
	g.b.Helper()
	var stream strings.Builder
	stream.WriteString("commit refs/heads/main\ncommitter Alice <alice@example.org> 1700000000 +0000\ndata 5\nlarge\n")
	for i := range n {
		text := fmt.Sprintf("object %d\n", i)
		fmt.Fprintf(&stream, "M 100644 inline %02x/%d\ndata %d\n%s\n", i%256, i, len(text), text)
	}
	g.alice.feed(dir, stream.String(), "fast-import", "--quiet")
}

// feed runs git with a standard input.
func (h *home) feed(dir, input string, args ...string) {
	h.t.Helper()
	cmd := h.command(dir, "git", args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("git %v: %v: %s", args, err, out)
	}
}

func (g *bulk) refRows(n int) []*benchRow {
	served, urls := g.newServed("refs")
	pushed, into := g.newServed("pushed")
	work, over := g.alice.newRepo("refs"), fmt.Sprintf("%d refs", n)
	id := g.alice.git(work, "rev-parse", "HEAD")
	local := strings.TrimPrefix(urls[1], "file://")
	for i, dir := range []string{served, local} {
		g.alice.git(work, "push", "--quiet", urls[i], "main")
		g.packRefs(dir, id, n)
	}
	g.packRefs(filepath.Join(work, ".git"), id, n)
	rows := g.timedRows(over, "ls-remote", 0, urls, func(_ int, url string) (string, []string) {
		return work, []string{"ls-remote", "--quiet", url}
	})
	rows = append(rows, g.timedRows(over, "fetch", 0, urls, func(i int, url string) (string, []string) {
		return g.alice.newRepo(fmt.Sprintf("fetched-%d", i)), []string{"fetch", "--quiet", url, "refs/heads/*:refs/remotes/origin/*"}
	})...)
	rows = append(rows, g.timedRows(over, "push", 0, into, func(_ int, url string) (string, []string) {
		return work, []string{"push", "--quiet", url, "refs/heads/*:refs/heads/*"}
	})...)
	return append(rows, &benchRow{over: over, name: "that weren't pushed", scale: "refs", number: func() float64 {
		return float64(n - strings.Count(g.bob.git(pushed, "for-each-ref", "--format=%(refname)", "refs/heads/many/"), "refs/heads/many/"))
	}})
}

// packRefs makes n branches more.
func (g *bulk) packRefs(dir, id string, n int) {
	g.b.Helper()
	var input strings.Builder
	for i := range n {
		fmt.Fprintf(&input, "%s refs/heads/many/%06d\n", id, i)
	}
	header := "# pack-refs with: peeled fully-peeled sorted \n"
	if err := os.WriteFile(filepath.Join(dir, "packed-refs"), []byte(header+input.String()), 0o600); err != nil {
		g.b.Fatal(err)
	}
}

func (g *bulk) pushRows(n int) []*benchRow {
	dir, urls := g.newServed("pushes")
	first := g.alice.newRepo("pushes")
	g.alice.git(first, "push", "--quiet", urls[0], "main")
	p := g.alice.newBenchPusher(urls[0], dir)
	part := max(1, n/10)
	var early, late time.Duration // of a push
	var before, after usage
	some := func() time.Duration {
		var took time.Duration
		for range part {
			took += p.push(benchSmallBytes)
		}
		return took / time.Duration(part)
	}
	row := func(name, scale string, number func() float64) *benchRow {
		return &benchRow{over: fmt.Sprintf("%d small pushes in a row", n), name: name, scale: scale, number: number}
	}
	return []*benchRow{
		row(fmt.Sprintf("mean of the first %d", part), "ms", func() float64 {
			early, before = some(), usageOf(g.b, g.daemon.cmd.Process.Pid)
			return early.Seconds() * 1e3
		}),
		row(fmt.Sprintf("mean of the last %d", part), "ms", func() float64 {
			for range n - 2*part {
				p.push(benchSmallBytes)
			}
			late, after = some(), usageOf(g.b, g.daemon.cmd.Process.Pid)
			return late.Seconds() * 1e3
		}),
		row("memory of serve after the first", "MiB", func() float64 { return mib(before.bytes) }),
		row("memory of serve at the end", "MiB", func() float64 { return mib(after.bytes) }),
		row("descriptors of serve after the first", "files", func() float64 { return float64(before.files) }),
		row("descriptors of serve at the end", "files", func() float64 { return float64(after.files) }),
	}
}

// hold holds memory to its limits, after everything.
func (g *bulk) hold() {
	g.b.Helper()
	if peak := highestPeak(g.b, g.report); peak >= maxHelperBytes {
		g.b.Errorf("a helper took %.1f MiB, at most %.0f are allowed", mib(peak), mib(maxHelperBytes))
	}
	if peak := peakOf(g.b, g.daemon.cmd.Process.Pid); peak >= maxServeBytes {
		g.b.Errorf("serve took %.1f MiB, at most %.0f are allowed", mib(peak), mib(maxServeBytes))
	}
}

// randomData writes a file that needn't fit into memory.
func (g *bulk) randomData(path string, size int) {
	g.b.Helper()
	f, err := os.Create(path)
	if err != nil {
		g.b.Fatal(err)
	}
	for left := size; left > 0 && err == nil; left -= memoryFileBytes {
		_, err = f.Write(benchRandom(min(left, memoryFileBytes)))
	}
	if closed := f.Close(); err != nil || closed != nil {
		g.b.Fatal(err, closed)
	}
}
