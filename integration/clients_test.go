package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// machines are two homes of Bob's with one account, each of which serves a clone of the same project, and Alice, who was invited to both.
type machines struct {
	server          *testserver.Server
	alice           *home
	clone           string
	laptop, desktop *machine
	number          int // of pushes
}

// A machine is one of Bob's.
type machine struct {
	*home
	name, proj, uuid, line string // line: what says that it was chosen
	daemon                 *daemon
}

func newMachine(t *testing.T, s *testserver.Server, name, from string) *machine {
	t.Helper()
	m := &machine{home: newHome(t, s, name, "bob"), name: name}
	if from == "" {
		m.proj = m.newRepo("proj")
	} else {
		m.proj = filepath.Join(m.dir, "proj")
		m.git(m.dir, "clone", "--quiet", from, m.proj)
	}
	m.daemon = m.serve(m.proj)
	m.uuid = m.git(m.proj, "config", "xmpp.uuid")
	return m
}

var connectedLine = regexp.MustCompile(`(?m)^connected to .*$`)

// newMachines pairs Alice with the laptop by a clone, and with the desktop by a fetch.
func newMachines(t *testing.T, s *testserver.Server) *machines {
	t.Helper()
	b := &machines{server: s, alice: newHome(t, s, "Alice", "alice"), laptop: newMachine(t, s, "laptop", "")}
	b.desktop = newMachine(t, s, "desktop", b.laptop.proj)
	b.clone = filepath.Join(b.alice.dir, "clone")
	b.alice.git(b.alice.dir, "clone", "--quiet", b.laptop.xmpp(b.laptop.proj, "invite"), b.clone)
	if r := b.alice.gitBoth(b.clone, "push", "origin", "HEAD:refs/heads/alone"); connectedLine.MatchString(r.stderr) {
		t.Errorf("there is no choice of machines, and it says: %v", r)
	}
	b.pair(b.desktop)
	for _, m := range []*machine{b.laptop, b.desktop} {
		key := m.key()
		b.alice.xmpp(b.alice.dir, "peers", "set", key, "--label", m.name)
		m.line = `connected to "` + m.name + `" (` + key[:len("SHA256:")+8] + "…)"
	}
	return b
}

// pair has Alice take an invite.
func (b *machines) pair(m *machine) {
	b.alice.t.Helper()
	b.alice.git(b.clone, "fetch", "--quiet", m.xmpp(m.proj, "invite"))
}

// push pushes a new branch, and expects it on this machine only, and to be told so, once.
func (b *machines) push(t *testing.T, url string, want *machine) {
	t.Helper()
	b.number++
	branch := "refs/heads/pushed" + string(rune('0'+b.number))
	r := b.alice.gitBoth(b.clone, "push", url, "HEAD:"+branch)
	if said := connectedLine.FindAllString(r.stderr, -1); len(said) != 1 || said[0] != want.line {
		t.Errorf("push to %s: it says %q, want %q", url, said, want.line)
	}
	for _, m := range []*machine{b.laptop, b.desktop} {
		if has := m.try(m.proj, "git", "rev-parse", "--quiet", "--verify", branch).status == 0; has != (m == want) {
			t.Errorf("push to %s, is it on the %s: %v; want it on the %s", url, m.name, has, want.name)
		}
	}
}

// Of two machines behind an address, the one that was seen last gets a push; if it is offline, the other. A UUID means the one that has it.
func TestSeveralClientsBehindOneAddress(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, playChoice)
}

func playChoice(t *testing.T, s *testserver.Server) {
	const proj = "xmpp::bob@localhost/proj"
	b := newMachines(t, s)
	b.push(t, proj, b.desktop)
	b.push(t, "xmpp::bob@localhost/"+b.laptop.uuid, b.laptop)
	b.push(t, proj, b.laptop) // now it is the one that was seen last
	b.push(t, "xmpp::bob@localhost/"+b.desktop.uuid, b.desktop)
	b.push(t, "xmpp::bob@localhost/"+b.laptop.uuid, b.laptop)
	b.laptop.daemon.stop()
	b.push(t, proj, b.desktop)
	b.fails(t, b.laptop.uuid, "peers known at bob@localhost: 1 without such a repository, 1 not online: ")
	b.desktop.daemon.stop()
	b.fails(t, "proj", "none of the 2 peers known at bob@localhost: ")
	b.laptop.daemon = b.laptop.serve(b.laptop.proj)
	b.push(t, proj, b.laptop)
}

// fails expects that nobody is there, told in one line.
func (b *machines) fails(t *testing.T, repository, line string) {
	t.Helper()
	badInput{home: b.alice, dir: b.clone, url: "bob@localhost/" + repository, push: true, status: 4, line: line, watched: []string{b.laptop.proj, b.desktop.proj}}.check(t)
}

// The same through the agent, whose connections are there from before.
func TestSeveralClientsThroughTheAgent(t *testing.T) {
	b := newMachines(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	trace := filepath.Join(t.TempDir(), "trace")
	b.alice.env = append(b.alice.env, "GIT_XMPP_TRACE="+trace)
	b.alice.serve(b.alice.newRepo("hers"))
	const proj = "xmpp::bob@localhost/proj"
	b.push(t, proj, b.desktop)
	b.push(t, "xmpp::bob@localhost/"+b.laptop.uuid, b.laptop)
	b.push(t, proj, b.laptop)
	b.laptop.daemon.kill() // without a word to the agent
	b.push(t, proj, b.desktop)
	b.push(t, proj, b.desktop)
	b.desktop.daemon.stop()
	r := b.alice.try(b.clone, "git", "push", proj, "main")
	if lines := linesWith(r.stderr, ourPrefix); r.status == 0 || len(lines) != 1 || !strings.Contains(lines[0], "none of the 2 peers known at bob@localhost: ") {
		t.Errorf("nobody is there: %v", r)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), `msg="connected by the agent"`); n < 5 || strings.Contains(string(text), "not connected by the agent") {
		t.Errorf("%d pushes went through the agent, want all:\n%s", n, text)
	}
}

// A machine that has no such repository sends the search on; one that refuses for another reason ends it.
func TestClientsWithDifferentRepositories(t *testing.T) {
	b := newMachines(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	var dirs []string
	for _, m := range []*machine{b.laptop, b.desktop} {
		m.daemon.stop()
		own := m.newRepo("on-the-" + m.name)
		m.daemon = m.serve(m.dir, own, m.proj)
		m.xmpp(m.dir, "peers", "set", b.alice.key(), "--access", "write", own)
		dirs = append(dirs, own)
	}
	for _, first := range []*machine{b.desktop, b.laptop} { // whichever was seen last
		b.push(t, "xmpp::bob@localhost/"+first.uuid, first)
		for i, m := range []*machine{b.laptop, b.desktop} {
			name := "on-the-" + m.name
			r := b.alice.gitBoth(b.clone, "ls-remote", "xmpp::bob@localhost/"+name, "HEAD")
			if want := m.git(dirs[i], "rev-parse", "HEAD"); !strings.HasPrefix(r.stdout, want) || connectedLine.FindString(r.stderr) != m.line {
				t.Errorf("%s: %v; want %s, and %q", name, r, want, m.line)
			}
		}
	}
	badInput{home: b.alice, dir: b.clone, url: "bob@localhost/none", status: 4, refused: true, line: "bob@localhost/none: no such repository"}.check(t)

	b.push(t, "xmpp::bob@localhost/"+b.desktop.uuid, b.desktop)
	b.desktop.xmpp(b.desktop.dir, "peers", "set", b.alice.key(), "--access", "read")
	badInput{home: b.alice, dir: b.clone, url: "bob@localhost/proj", push: true, status: 1, refused: true, line: "bob@localhost/proj: read-only access, push refused",
		watched: []string{b.laptop.proj, b.desktop.proj}}.check(t)
}

// Objects of Git LFS go to the machine that gets the push, also if that isn't the one that was seen last.
func TestLFSObjectsGoWhereThePushGoes(t *testing.T) {
	testserver.Require(t, testserver.GitLFS)
	b := newMachines(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	b.alice.git(b.alice.dir, "lfs", "install", "--skip-repo")
	b.alice.xmpp(b.alice.dir, "lfs", "setup")
	b.alice.git(b.clone, "lfs", "install")
	b.alice.git(b.clone, "lfs", "track", "*.bin")
	b.desktop.daemon.stop() // it was seen last
	for n, want := range []*machine{b.laptop, b.desktop} {
		file := filepath.Join(b.clone, want.name+".bin")
		randomFile(t, file, 100_000)
		oid := hashFile(t, file)
		b.alice.commit(b.clone, want.name)
		b.push(t, "origin", want)
		for _, m := range []*machine{b.laptop, b.desktop} {
			_, err := os.Stat(m.lfsObject(m.proj, oid))
			if has := err == nil; has != (m == want) {
				t.Errorf("pushed to the %s; is the object on the %s: %v", want.name, m.name, has)
			}
		}
		if n == 0 {
			b.desktop.daemon = b.desktop.serve(b.desktop.proj)
			b.laptop.daemon.stop()
		}
	}
}

// Two repositories behind one serve whose folders have the same name: the name is ambiguous, the UUIDs, which it tells, aren't.
func TestSameNameBehindOneServe(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	dirs := []string{bob.newRepo("one/proj"), bob.newRepo("two/proj")}
	bob.commit(dirs[1], "second")
	bob.serve(bob.dir, dirs...)
	clone := filepath.Join(alice.dir, "clone")
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(dirs[0], "invite"), clone)
	bob.xmpp(bob.dir, "peers", "set", alice.key(), "--access", "write", dirs[1])
	first, second := bob.git(dirs[0], "config", "xmpp.uuid"), bob.git(dirs[1], "config", "xmpp.uuid")
	badInput{home: alice, dir: clone, url: "bob@localhost/proj", status: 1, refused: true, line: "bob@localhost/proj: several repositories, name one: " + first + ", " + second}.check(t)
	for i, uuid := range []string{first, second} {
		alice.git(clone, "push", "--quiet", "xmpp::bob@localhost/"+uuid, "HEAD:refs/heads/pushed")
		for j, dir := range dirs {
			if has := bob.try(dir, "git", "rev-parse", "--quiet", "--verify", "refs/heads/pushed").status == 0; has != (j <= i) {
				t.Errorf("pushed to %s, is it in %s: %v", uuid, dir, has)
			}
		}
	}
}
