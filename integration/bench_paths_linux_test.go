package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"git-remote-xmpp/integration/network"
	"git-remote-xmpp/integration/testserver"
)

const (
	pathsRounds = 5
	// lossRule loses packets of Alice's at her router.
	lossRule = `oifname "wan" numgen random mod 100 == 0 drop`
)

// A benchLink is what lies between Alice, who pushes, and Bob.
type benchLink struct {
	name  string
	delay time.Duration // each way
	lossy bool
	rate  int // bits per second, each way; 0: what the machine can do
	bytes int // of a push
	// slow is of a push where a lost packet halves the rate.
	slow int
}

var benchLinks = []benchLink{
	{name: "1 Gbit/s", rate: 1e9, bytes: 100e6, slow: 100e6},
	{name: "25 ms each way, 1 % lost", delay: 25 * time.Millisecond, lossy: true, bytes: 20e6, slow: 4e6},
	{name: "50 ms each way, 1 % lost", delay: 50 * time.Millisecond, lossy: true, bytes: 20e6, slow: 4e6},
	{name: "50 ms each way, 1 % lost, 100 Mbit/s", delay: 50 * time.Millisecond, lossy: true, rate: 100e6, bytes: 20e6, slow: 4e6},
}

// BenchmarkPaths measures pushes by a direct path beside such over ssh on the same link, and prints a table as BenchmarkServers does.
func BenchmarkPaths(b *testing.B) {
	var rows []*benchRow
	var rounds int
	var all time.Duration
	for _, link := range benchLinks {
		b.Run(link.name, func(b *testing.B) {
			these := newBenchScene(b, link).rows()
			done, took := benchRun(b, these, pathsRounds)
			fmt.Printf("\n%s: %d rounds in %v%s\n", link.name, done, took.Round(time.Second), machineLoad())
			rows, rounds, all = append(rows, these...), done, all+took
			b.ReportMetric(0, "ns/op") // the table says it all
		})
	}
	const note = "Incompressible data, from git's start to its end, with the login. MB are 10^6 bytes.\nratio: median of the ratios, each within a round."
	benchKeep(b, "paths", rows, rounds, all, note)
	fmt.Printf("\n%s\n\n", note)
	if err := printBench(os.Stdout, rows); err != nil {
		b.Fatal(err)
	}
	fmt.Println()
}

// A benchScene is Bob and Alice at the ends of a link, with the XMPP server in its middle.
type benchScene struct {
	benchLink
	from, to    *network.Host
	ours, ssh   *benchPusher
	trace       string // of Alice's helper
	sinceSwitch time.Duration
}

func newBenchScene(b *testing.B, link benchLink) *benchScene {
	b.Helper()
	i := network.NewInternet(b)
	hers, his := network.SiteOptions{Open: true, Delay: link.delay}, network.SiteOptions{Open: true, Rate: link.rate}
	if link.delay == 0 {
		hers.Rate = link.rate
	}
	if link.lossy {
		hers.Rules = lossRule
	}
	s := &benchScene{benchLink: link, from: i.Site(hers).NewHost(), to: i.Site(his).NewHost()}
	server := testserver.New(b, testserver.Prosody, testserver.Options{Place: testserver.Place{Host: i.Addr.String(), Enter: i.Do}})
	alice, bob := newHome(b, server, "Alice", "alice"), newHome(b, server, "Bob", "bob")
	for _, h := range []*home{alice, bob} {
		h.git(h.dir, "config", "--global", "xmpp.directPath", "auto")
	}
	s.trace = filepath.Join(alice.dir, "trace")
	alice.env = append(alice.env, "GIT_XMPP_TRACE="+s.trace)
	s.ours = pairOf(alice, bob, s.from.Namespace, s.to.Namespace).pusher
	sshd := benchSSHD(b, testserver.Place{Host: s.to.Addr.String(), Enter: s.to.Do})
	s.from.Do(func() { s.ssh = newSSHPusher(b, sshd, sshd.Command) })
	for _, p := range []*benchPusher{s.ours, s.ssh} {
		uncompressed(p)
		p.git(p.served, "config", "receive.unpackLimit", "1")
	}
	return s
}

// rows are measured in this order.
func (s *benchScene) rows() []*benchRow {
	row := func(name string, bytes int, measure func() time.Duration, against ...*benchRow) *benchRow {
		return &benchRow{over: s.name, name: name, bytes: bytes, against: against, measure: func() (took time.Duration) {
			s.from.Do(func() { took = measure() })
			return took
		}}
	}
	ssh := func(control string, bytes int) *benchRow {
		return row("ssh, TCP with "+control, bytes, func() time.Duration {
			s.from.SetCongestionControl(control)
			return s.ssh.push(bytes)
		})
	}
	bbr, cubic := ssh("bbr", s.bytes), ssh("cubic", s.slow)
	return []*benchRow{
		bbr, row("direct path", s.bytes, s.push, bbr), cubic,
		row("direct path", s.bytes, s.push, cubic),
		row("direct path, from the connection to its use", 0, func() time.Duration { return s.sinceSwitch }),
	}
}

// push pushes by our program, and looks when packets began to go directly.
func (s *benchScene) push() time.Duration {
	if err := os.Truncate(s.trace, 0); err != nil {
		s.ours.t.Fatal(err)
	}
	took := s.ours.push(s.bytes)
	s.sinceSwitch = s.traced("direct path used").Sub(s.traced("connection begun"))
	return took
}

// traced is when the helper's log said something first.
func (s *benchScene) traced(message string) time.Time {
	text, err := os.ReadFile(s.trace)
	if err != nil {
		s.ours.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^time=(\S+) level=\w+ msg="` + message + `"`).FindSubmatch(text)
	if m == nil {
		s.ours.t.Fatalf("no %q in the log:\n%s", message, text)
	}
	at, err := time.Parse(time.RFC3339Nano, string(m[1]))
	if err != nil {
		s.ours.t.Fatal(err)
	}
	return at
}
