package integration

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// What Alice may write to in these tests, and what she is told of another ref.
const (
	limitedTo = "refs/heads/topic,refs/heads/feature/*,refs/tags/a*"
	notYours  = "(not yours to push: you may write to refs/heads/topic, refs/heads/feature/*, refs/tags/a*)"
)

// Who may write to some refs only writes to those and no others, in both push modes.
func TestLimitedPush(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	for name, play := range map[string]func(*scene){
		"refused": limitedRefused, "some": limitedSome, "atomic": limitedAtomic, "within": limitedWithin, "work tree": limitedTree, "changed": limitedChanged,
	} {
		for _, mode := range []string{direct, fallback} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				var o sceneOptions
				if name == "work tree" {
					o = sceneOptions{init: []string{workTree}, config: map[string]string{"receive.denyCurrentBranch": "updateInstead"}}
				}
				w.play(t, "xmpp", o.in(mode), play)
			})
		}
	}
	t.Run("fallback refs", func(t *testing.T) { w.play(t, "xmpp", sceneOptions{}, limitedFallback) })
	t.Run("integrate", func(t *testing.T) { w.play(t, "xmpp", setting("xmpp.integrate", "none"), limitedAside) })
}

// limit limits what Alice may write to; by no patterns she may write to all.
func (c *scene) limit(patterns string) {
	c.Helper()
	c.bob.xmpp(c.served, "peers", "set", c.alice.key(), "--access", "write", "--refs", patterns, ".")
}

// untouched fails the test unless a push of Alice's is refused and leaves Bob's refs and reflogs as they were.
func (c *scene) untouched(dir string, args []string, say ...string) {
	c.Helper()
	before := c.refsAndLogs()
	r := c.git(dir, append([]string{"push", "origin"}, args...)...)
	c.expect(r, 1, say...)
	if after := c.refsAndLogs(); after != before {
		c.Errorf("git push %q changed\n%s\ninto\n%s", args, before, after)
	}
}

func (c *scene) refsAndLogs() string {
	c.Helper()
	all := c.bob.git(c.served, "for-each-ref", "--format=%(refname) %(objectname) %(symref)")
	logs := filepath.Join(c.bob.git(c.served, "rev-parse", "--absolute-git-dir"), "logs")
	err := filepath.WalkDir(logs, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		all += "\n" + path + "\n" + string(text)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		c.Fatal(err)
	}
	return all
}

// limitedClone is Alice's clone of a repository with reflogs, branches and a tag, where she may write to some refs. It has a commit more, and
// a branch that rewrites one.
func (c *scene) limitedClone() string {
	c.Helper()
	c.seed("main", "topic", "other")
	c.bob.git(c.served, "tag", "v1", "main")
	c.bob.git(c.served, "config", "receive.denyDeleteCurrent", "ignore")
	c.bob.git(c.served, "config", "core.logAllRefUpdates", "always")
	c.bob.git(c.served, "update-ref", "refs/heads/logged", "main")
	dir := c.clone()
	c.alice.git(dir, "checkout", "--quiet", "--orphan", "rewritten")
	c.alice.commit(dir, "rewritten")
	c.alice.git(dir, "checkout", "--quiet", "-B", "main", "origin/other")
	c.alice.commit(dir, "more")
	c.limit(limitedTo)
	return dir
}

func limitedRefused(c *scene) {
	dir := c.limitedClone()
	c.alice.git(dir, "tag", "-a", "-m", "v2", "v2")
	uuid := c.alice.git(dir, "config", "xmpp.uuid")
	for arrow, args := range map[string][]string{
		"main -> main":                   {"main"},
		"rewritten -> main":              {"--force", "rewritten:main"},
		"rewritten -> other":             {"--force-with-lease", "rewritten:other"},
		"other":                          {":other"},
		"main -> new":                    {"main:new"},
		"main -> feature":                {"main:refs/heads/feature"},
		"v2 -> v2":                       {"v2"},
		"v2 -> v1":                       {"--force", "v2:v1"},
		"v1":                             {"--delete", "v1"},
		"main -> refs/notes/x":           {"main:refs/notes/x"},
		"refs/synced/" + uuid + "/other": {"main:refs/synced/" + uuid + "/other"},
		"refs/synced/" + uuid + "/" + uuid + "/other": {"main:refs/synced/" + uuid + "/" + uuid + "/other"}, // a record
	} {
		c.untouched(dir, args, "! [remote rejected] ", arrow+" "+notYours)
	}
	c.untouched(dir, []string{"main:refs/synced/00000000-0000-4000-8000-000000000000/topic"}, "deny updating a hidden ref")
}

// What is allowed in the same push goes through.
func limitedSome(c *scene) {
	dir := c.limitedClone()
	main, tip := c.value("main"), c.head(dir, "main")
	r := c.git(dir, "push", "origin", "main", "main:topic", "main:feature/a/b", "main:refs/tags/a1", "main:refs/tags/b1", ":v1")
	c.expect(r, 1, "main -> main "+notYours, "main -> topic\n", "main -> feature/a/b\n", "main -> a1\n", "main -> b1 "+notYours, "v1 "+notYours, "failed to push some refs")
	c.holds("main", main, "refs/heads/topic", tip, "refs/heads/feature/a/b", tip, "refs/tags/a1", tip, "refs/tags/b1", "", "refs/tags/v1", main)
	mustSay(c.T, c.bob.git(c.served, "reflog", "refs/heads/topic"), "push")
}

func limitedAtomic(c *scene) {
	dir := c.limitedClone()
	c.untouched(dir, []string{"--atomic", "main", "main:topic", "main:refs/tags/a1", "main:feature/new"},
		"main -> main "+notYours, "main -> topic (atomic push failure)", "main -> a1 (atomic push failure)", "main -> feature/new (atomic push failure)")
	tip := c.head(dir, "main")
	c.expect(c.git(dir, "push", "--atomic", "origin", "main:topic", "main:refs/tags/a1", "main:feature/new"), 0)
	c.holds("refs/heads/topic", tip, "refs/tags/a1", tip, "refs/heads/feature/new", tip)
}

// What is allowed is as ever: force, lease, deletion, push options, the repository's own hooks.
func limitedWithin(c *scene) {
	dir := c.limitedClone()
	c.bob.git(c.served, "config", "receive.advertisePushOptions", "true")
	seen := filepath.Join(c.dir, "seen")
	c.hook(c.served, "update", "echo update $1 >>"+seen)
	c.hook(c.served, "post-receive", "while read old new ref; do echo post $ref $GIT_PUSH_OPTION_0 >>"+seen+"; done")
	rewritten := c.head(dir, "rewritten")
	c.expect(c.git(dir, "push", "-o", "one", "--force", "origin", "rewritten:topic"), 0, "(forced update)")
	c.holds("refs/heads/topic", rewritten)
	c.expect(c.git(dir, "push", "--force-with-lease=topic:"+c.head(dir, "main"), "origin", "main:topic"), 1, "stale info")
	c.expect(c.git(dir, "push", "origin", ":topic"), 0, "[deleted]")
	c.holds("refs/heads/topic", "")
	text, err := os.ReadFile(seen)
	if want := "update refs/heads/topic\npost refs/heads/topic one\nupdate refs/heads/topic\npost refs/heads/topic\n"; err != nil || string(text) != want {
		c.Errorf("hooks have seen %q, %v", text, err)
	}
}

// A branch that is checked out stays as it is, files and all, unless it is hers.
func limitedTree(c *scene) {
	dir := c.clone()
	c.alice.commit(dir, "more")
	c.limit("refs/heads/topic")
	c.untouched(dir, []string{"main"}, "main -> main (not yours to push: you may write to refs/heads/topic)")
	if c.bob.git(c.served, "status", "--porcelain") != "" {
		c.Error("the work tree has changes")
	}
	c.limit("refs/heads/main")
	c.expect(c.git(dir, "push", "origin", "main"), 0)
	if _, err := os.Stat(filepath.Join(c.served, "more.txt")); err != nil {
		c.Error(err)
	}
}

// A limit counts from the next push on; without patterns there is none, and read is read.
func limitedChanged(c *scene) {
	dir := c.limitedClone()
	c.untouched(dir, []string{"main:other"}, notYours)
	c.limit("refs/heads/other")
	c.untouched(dir, []string{"main:topic"}, "(not yours to push: you may write to refs/heads/other)")
	c.expect(c.git(dir, "push", "origin", "main:other"), 0)
	c.bob.xmpp(c.served, "peers", "set", c.alice.key(), "--access", "read", ".")
	c.expect(c.git(dir, "push", "origin", "main:refs/heads/other2"), 128, "read-only access")
	c.limit("")
	c.expect(c.git(dir, "push", "origin", "main:refs/heads/other2"), 0)
}

// What has diverged goes beside a branch that is hers, and beside no other.
func limitedFallback(c *scene) {
	dir := c.limitedClone()
	c.bobCommits("topic", "theirs")
	c.bobCommits("other", "theirs too")
	c.untouched(dir, []string{"main:other"}, "main -> other "+notYours)
	c.expect(c.git(dir, "push", "origin", "main:topic"), 0, "main -> "+c.fallbackRef(dir, "topic"))
	c.holds(c.fallbackRef(dir, "topic"), c.head(dir, "main"), c.fallbackRef(dir, "other"), "")
}

// With xmpp.integrate=none everything goes beside the branches, if they are hers.
func limitedAside(c *scene) {
	dir := c.limitedClone()
	r := c.git(dir, "push", "origin", "main:topic", "main:other")
	c.expect(r, 1, "main -> "+c.fallbackRef(dir, "topic"), "main -> other "+notYours)
	c.holds(c.fallbackRef(dir, "topic"), c.head(dir, "main"), c.fallbackRef(dir, "other"), "")
}

// peers shows limits and keeps them until they are taken away.
func TestPeersRefs(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	repo := filepath.Join(w.base, "first.git")
	set := func(args ...string) result {
		t.Helper()
		r := w.bob.try(repo, "git-remote-xmpp", append([]string{"peers", "set", w.key}, args...)...)
		if r.status != 0 || r.stdout != "" {
			t.Errorf("peers set %q: %v", args, r)
		}
		return r
	}
	shown := func(text string, refs ...string) {
		t.Helper()
		p := w.bob.peers()[0]
		if got := slices.Concat(slices.Collect(maps.Values(p.Refs))...); !slices.Equal(got, refs) || p.Refs == nil {
			t.Errorf("peers --json says %q, want %q", got, refs)
		}
		mustSay(t, w.bob.xmpp(repo, "peers", ".")+"\n", "  "+text+"\n")
	}
	shown("write: 1")
	set("--access", "write", "--refs", limitedTo)
	shown("write to "+limitedTo+": 1", strings.Split(limitedTo, ",")...)
	mustSay(t, set("--access", "write").stderr, w.key+" may still write to "+limitedTo+" only: --refs '' takes the limit away\n")
	shown("write to "+limitedTo+": 1", strings.Split(limitedTo, ",")...)
	if r := set("--access", "write", "--refs", ""); r.stderr != "" {
		t.Errorf("it says %q", r.stderr)
	}
	shown("write: 1")
	set("--access", "write", "--refs", "refs/heads/main", ".")
	set("--access", "read")
	shown("read: 1")
	set("--access", "write")
	shown("write: 1")
	fails(t, w.bob, repo, 2, `peers: --refs "main": not a pattern`, "peers", "set", w.key, "--access", "write", "--refs", "main")
	shown("write: 1")
}

// A machine has the limits of the one that vouches for it; to another of one's own machines, limited write is read.
func TestVouchedLimits(t *testing.T) {
	b := newSiblings(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	hers := b.alice.newRepo("hers")
	b.alice.serve(hers)
	b.laptop.git(b.laptop.proj, "fetch", "--quiet", b.alice.xmpp(hers, "invite"))
	b.alice.xmpp(hers, "peers", "set", b.laptop.key(), "--access", "write", "--refs", "refs/heads/bob/*", ".")
	b.laptop.xmpp(b.laptop.proj, "peers", "set", b.alice.key(), "--access", "write", "--refs", "refs/heads/alice/*", ".")
	b.meet()
	if p := b.desktop.knows(b.alice.key(), b.laptop.key()); p.Access[b.desktop.uuid] != "read" || len(p.Refs) > 0 {
		t.Errorf("Alice at the desktop: %+v", p)
	}
	r := b.desktop.try(b.desktop.proj, "git", "push", "xmpp::alice@localhost/hers", "HEAD:refs/heads/bob/desktop", "HEAD:refs/heads/else")
	mustSay(t, r.stderr, "HEAD -> bob/desktop", "HEAD -> else (not yours to push: you may write to refs/heads/bob/*)")
	if got := b.alice.git(hers, "for-each-ref", "--format=%(refname)"); r.status != 1 || got != "refs/heads/bob/desktop\nrefs/heads/main" {
		t.Errorf("there are %q; %v", got, r)
	}
	if p := b.alice.knows(b.desktop.key(), b.laptop.key()); !slices.Equal(slices.Concat(slices.Collect(maps.Values(p.Refs))...), []string{"refs/heads/bob/*"}) {
		t.Errorf("the desktop at Alice's: %+v", p)
	}
}

// Who keeps repositories in step asks for what may be pushed to it, and nothing else.
func TestLimitedSync(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newOrigin(t, s, "Bob", "bob")
	alice := newReplica(t, s, "Alice", "alice", bob)
	began := alice.commit(alice.proj, "in step")
	bob.at(t, "main", began)
	bob.xmpp(bob.proj, "peers", "set", alice.key(), "--access", "write", "--refs", "refs/heads/alice/*", ".")
	alice.commit(alice.proj, "not for bob")
	alice.git(alice.proj, "tag", "v1")
	id := alice.git(alice.proj, "commit-tree", "-m", "for bob", "HEAD^{tree}")
	alice.git(alice.proj, "branch", "alice/topic", id)
	bob.at(t, "alice/topic", id)
	bob.xmpp(bob.proj, "sync")
	theirs := bob.commit(bob.proj, "theirs")
	await(t, "Bob's commit at Alice's", func() bool { return alice.try(alice.proj, "git", "cat-file", "-e", theirs).status == 0 })
	if got := bob.git(bob.proj, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags", "refs/synced"); got != "refs/heads/alice/topic\nrefs/heads/main" {
		t.Errorf("Bob has %q", got)
	}
	if got := bob.git(bob.proj, "rev-parse", "main~1"); got != began {
		t.Errorf("Bob's main is %s, want %s", got, began)
	}
	alice.daemon.stop()
	if log := alice.daemon.stderr.String(); strings.Contains(log, "not taken") || !strings.Contains(log, "pushed") {
		t.Errorf("Alice has pushed what isn't wanted:\n%s", log)
	}
}

// Large files of a branch that is hers go with it; who may only read uploads none.
func TestLimitedLFS(t *testing.T) {
	p := newLFSPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "--bare")
	key := p.alice.key()
	oids := p.commitFiles(t, map[string]int{"some.bin": 5000})
	p.bob.xmpp(p.served, "peers", "set", key, "--access", "write", "--refs", "refs/heads/feature/*", ".")
	r := p.alice.try(p.clone, "git", "push", "origin", "main:feature/x", "main")
	mustSay(t, r.stderr, "main -> feature/x", "main -> main (not yours to push: you may write to refs/heads/feature/*)")
	if got := p.bob.git(p.served, "for-each-ref", "--format=%(refname)"); r.status != 1 || got != "refs/heads/feature/x" {
		t.Errorf("there are %q; %v", got, r)
	}
	if _, err := os.Stat(p.bob.lfsObject(p.served, oids["some.bin"])); err != nil {
		t.Error(err)
	}
}
