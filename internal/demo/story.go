package demo

import (
	"fmt"
	"runtime"
	"strings"
)

// A story is what Alice and Bob do.
type story struct {
	scene
	alice, bob *person
	served     *daemon // Bob's, once it runs
	synced     string  // where Alice's commits go that can't be fast-forwarded
}

// tell plays it all.
func (s *story) tell() {
	for _, act := range []func(){
		s.setUp, s.invite, s.clone, s.push, s.diverge, s.look, s.mergeAndPush, s.tag, s.closeDown,
	} {
		act()
	}
}

func (s *story) setUp() {
	s.act("Both say which account is theirs. The server needs two settings because it isn't in DNS, nor its certificate known")
	for _, p := range []*person{s.bob, s.alice} {
		for _, kv := range [][2]string{
			{"user.name", strings.ToUpper(p.name[:1]) + p.name[1:]}, {"user.email", p.name + "@localhost"},
			{"init.defaultBranch", "main"}, {"gc.auto", "0"}, {"maintenance.auto", "false"}, {"core.autocrlf", "false"},
		} {
			p.git("config", "--global", kv[0], kv[1])
		}
		p.run("git", "config", "--global", "xmpp.account", p.name+"@localhost")
		p.run("git", "config", "--global", "xmpp.server", p.server.addr)
		p.run("git", "config", "--global", "xmpp.sslCAInfo", p.server.caFile)
	}
}

func (s *story) invite() {
	s.act("Bob has a repository, and serves it")
	s.bob.run("git", "init", "--quiet", "proj")
	s.bob.cd("proj")
	s.bob.commit("README", "a project")
	s.served = s.bob.serve()
}

func (s *story) clone() {
	s.act("Bob invites Alice; she clones with the invite, which works once")
	url := s.bob.run(programName, "invite")
	s.alice.run("git", "clone", url, "proj")
	s.alice.cd("proj")
	s.equal("alice has bob's commit", s.alice.git("rev-parse", "HEAD"), s.bob.git("rev-parse", "main"))
	s.equal("the used invite is gone from her remote's url", s.alice.git("config", "remote.origin.url"), "xmpp::bob@localhost/proj")
	s.synced = "refs/synced/" + s.alice.git("config", "xmpp.uuid") + "/main"
}

func (s *story) push() {
	s.act("Alice commits and pushes")
	before := s.bob.git("rev-parse", "main")
	after := s.alice.commit("alice.txt", "from alice")
	s.says(s.alice.run("git", "push"), move(before, after)+" main -> main")
	s.equal("bob's main is alice's commit", s.bob.git("rev-parse", "main"), after)
	s.equal("her file is in his work tree", s.bob.git("hash-object", "alice.txt"), s.alice.git("hash-object", "alice.txt"))
	s.empty("his work tree is clean", s.bob.git("status", "--porcelain"))
}

func (s *story) diverge() {
	s.act("Both commit, and Alice pushes without a fetch: git would refuse; here her commits get a place of their own")
	alices := s.alice.commit("alice.txt", "more from alice")
	bobs := s.bob.commit("bob.txt", "from bob") // the later one: git log shows it first, also where a second lies between them
	s.says(s.alice.run("git", "push"), "* [new reference] main -> "+s.synced)
	s.equal("bob's main is where he left it", s.bob.git("rev-parse", "main"), bobs)
	s.equal("alice's commit is beside it", s.bob.git("rev-parse", s.synced), alices)
	s.empty("his work tree is clean", s.bob.git("status", "--porcelain"))
}

func (s *story) look() {
	s.act("What Bob sees. He could merge it; today Alice will")
	s.bob.run("git", "log", "--oneline", "--graph", "--decorate", "main", s.synced)
}

func (s *story) mergeAndPush() {
	s.act("Alice fetches, merges and pushes")
	bobs := s.bob.git("rev-parse", "main")
	s.says(s.alice.run("git", "fetch"), "main -> origin/main")
	s.equal("alice has what bob committed", s.alice.git("rev-parse", "origin/main"), bobs)
	s.alice.run("git", "merge", "--no-edit", "origin/main")
	merged := s.alice.git("rev-parse", "HEAD")
	s.says(s.alice.run("git", "push"), move(bobs, merged)+" main -> main")
	s.equal("bob's main is the merge", s.bob.git("rev-parse", "main"), merged)
	s.empty("nothing is left beside it", s.bob.git("for-each-ref", "refs/synced"))
	s.empty("his work tree is clean", s.bob.git("status", "--porcelain"))
	s.says(s.alice.run("git", "push"), "Everything up-to-date")
}

func (s *story) tag() {
	s.act("A tag")
	s.alice.run("git", "tag", "-m", "the first", "v1")
	s.says(s.alice.run("git", "push", "origin", "v1"), "* [new tag] v1 -> v1")
	s.equal("bob has the tag", s.bob.git("rev-parse", "v1"), s.alice.git("rev-parse", "v1"))
}

func (s *story) closeDown() {
	s.act("In the end")
	refs := []string{"for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"}
	s.equal("both have the same branches and tags", s.bob.git(refs...), s.alice.git(refs...))
	for _, p := range []*person{s.bob, s.alice} {
		s.empty(p.name+"'s repository passes git fsck", p.git("fsck", "--strict", "--full", "--no-dangling"))
	}
	if s.over() {
		return
	}
	err := s.stopServing()
	if err != nil && runtime.GOOS != "windows" { // where a process is ended without being asked
		s.fail(fmt.Errorf("%w: bob's serve ends well: %w", ErrCheck, err))
		return
	}
	s.passed("bob's serve ends when it is asked to")
}

// end clears the stage. After a failure it shows what serve had to say.
func (s *story) end() {
	if s.served == nil {
		return
	}
	log := s.served.log
	_ = s.stopServing() // another error counts
	if s.ctx.Err() == nil && log.String() != "" {
		s.say("\n== What bob's serve says\n%s", strings.TrimSpace(log.String()))
	}
}

func (s *story) stopServing() error {
	d := s.served
	s.served = nil
	return d.stop()
}

// move is how git writes that a branch went from one commit to another.
func move(from, to string) string {
	const abbreviated = 7
	return from[:min(len(from), abbreviated)] + ".." + to[:min(len(to), abbreviated)]
}
