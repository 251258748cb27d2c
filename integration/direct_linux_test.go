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

// newDirectPair is an agentPair with a setting of xmpp.directPath for each side.
func newDirectPair(t *testing.T, s *testserver.Server, alices, bobs string) *agentPair {
	t.Helper()
	p := &agentPair{server: s, bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice")}
	p.bob.git(p.bob.dir, "config", "--global", "xmpp.directPath", bobs)
	p.alice.git(p.alice.dir, "config", "--global", "xmpp.directPath", alices)
	p.served, p.hers, p.clone = p.bob.newRepo("proj"), p.alice.newRepo("hers"), filepath.Join(p.alice.dir, "clone")
	p.bobs = p.bob.serve(p.served)
	p.trace = filepath.Join(t.TempDir(), "trace")
	p.alice.env = append(p.alice.env, "GIT_XMPP_TRACE="+p.trace)
	p.alice.git(p.alice.dir, "clone", "--quiet", p.bob.xmpp(p.served, "invite"), p.clone)
	p.agent = p.alice.serve(p.hers)
	return p
}

// udpSockets counts a process's.
func udpSockets(t *testing.T, pid int) (n int) {
	t.Helper()
	known := ""
	for _, list := range []string{"udp", "udp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, list))
		if err != nil {
			t.Fatal(err)
		}
		known += string(text)
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if inode, ok := strings.CutPrefix(must(os.Readlink(f)), "socket:["); ok && strings.Contains(known, " "+strings.TrimSuffix(inode, "]")+" ") {
			n++
		}
	}
	return n
}

// must is for what may be gone.
func must(text string, _ error) string { return text }

// Between two installations that may, packets go directly soon, and git notices nothing.
func TestDirectPath(t *testing.T) {
	p := newDirectPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "auto", "auto")
	p.alice.git(p.clone, "ls-remote")
	begin := time.Now()
	for _, h := range []*home{p.alice, p.bob} {
		await(t, "packets to go directly", func() bool {
			s := h.status()
			return len(s.Connections) == 1 && s.Connections[0].Path == "direct" && s.Connections[0].Address != ""
		})
	}
	t.Logf("direct %v after the first run of git", time.Since(begin))
	mustSay(t, p.alice.xmpp(p.alice.dir, "status"), "direct to ")
	want := p.alice.commit(p.clone, "directly")
	mustSay(t, p.alice.gitBoth(p.clone, "push", "-v", "origin", "main").stderr, "\npackets go direct to ")
	if got := p.bob.git(p.served, "rev-parse", "main"); got != want {
		t.Errorf("main is %s, want %s", got, want)
	}
	for name, d := range map[string]*daemon{"Bob": p.bobs, "Alice": p.agent} {
		if udpSockets(t, d.cmd.Process.Pid) == 0 {
			t.Errorf("%s's serve has no socket: the test looks in the wrong place", name)
		}
	}
}

// Where one side's setting is never, no socket is opened on either, and both say why packets go through the server.
func TestDirectPathNever(t *testing.T) {
	for _, test := range []struct{ alices, bobs string }{{"never", "auto"}, {"auto", "never"}} {
		t.Run(test.alices+" "+test.bobs, func(t *testing.T) {
			t.Parallel()
			p := newDirectPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), test.alices, test.bobs)
			p.alice.commit(p.clone, "through the server")
			said := p.alice.gitBoth(p.clone, "-c", "xmpp.agent=never", "push", "-v", "origin", "main").stderr
			if told := strings.Contains(said, "\npackets go in-band ("); told != (test.alices == "auto") { // for who would have it otherwise
				t.Errorf("said\n%s\nhow packets go: %v", said, told)
			}
			if r := p.alice.gitBoth(p.clone, "ls-remote", "origin"); strings.Contains(r.stderr, "packets go") {
				t.Errorf("without -v: %v", r)
			}
			for h, d := range map[*home]*daemon{p.bob: p.bobs, p.alice: p.agent} {
				c := h.status().Connections
				if len(c) != 1 || c[0].Path != "in-band" || c[0].WhyInBand == "" || c[0].Address != "" {
					t.Errorf("%s: %+v", h.name, c)
				}
				if n := udpSockets(t, d.cmd.Process.Pid); n != 0 {
					t.Errorf("%s's serve has %d UDP sockets", h.name, n)
				}
			}
		})
	}
}

// Who clones with an invite gets a direct path as soon as that is redeemed, on the same connection.
func TestDirectPathByInvite(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	for _, h := range []*home{bob, alice} {
		h.git(h.dir, "config", "--global", "xmpp.directPath", "auto")
	}
	served := bob.newRepo("proj")
	randomFile(t, filepath.Join(served, "large"), 30<<20)
	bob.commit(served, "large")
	bob.serve(served)
	trace := filepath.Join(t.TempDir(), "trace")
	alice.env = append(alice.env, "GIT_XMPP_TRACE="+trace)
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(served, "invite"), "clone")
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	mustSay(t, string(text), `msg="direct path used"`)
}
