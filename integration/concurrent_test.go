package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// many is how many clones, or repositories, there are at once.
const many = 10

// together runs commands at the same time; all must succeed.
func together(t *testing.T, cmds ...*exec.Cmd) {
	t.Helper()
	var all sync.WaitGroup
	for _, cmd := range cmds {
		all.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %v: %s", cmd.Args, err, out)
			}
		})
	}
	all.Wait()
}

// manyClones makes clones of a scene's repository.
func (c *scene) manyClones() (dirs []string) {
	c.Helper()
	for i := range many {
		dir := filepath.Join(c.dir, fmt.Sprintf("clone%d", i))
		c.alice.git(c.dir, "clone", "--quiet", c.url, dir)
		dirs = append(dirs, dir)
	}
	return dirs
}

// xmppScene is a scene over XMPP only, with a first commit on main.
func (w *site) xmppScene(t *testing.T, o sceneOptions) *scene {
	t.Helper()
	c := w.scene(t, "xmpp", o)
	if len(o.init) == 0 {
		c.seed("main")
	}
	return c
}

// sound expects that Bob's repository passes fsck, and that nothing of a push is left in it.
func (c *scene) sound() {
	c.Helper()
	c.bob.git(c.served, "fsck", "--strict", "--no-dangling")
	if left := remains(c.T, c.served); len(left) > 0 {
		c.Errorf("left behind: %v", left)
	}
}

// Many at once, each with a repository of its own for the scene: all finish, and all is where it belongs.
func TestManyAtOnce(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	for name, play := range map[string]func(c *scene){
		"two pushes of one clone":               twoPushesOfOneClone,
		"many clones push branches":             manyClonesPushBranches,
		"many clones push one branch":           manyClonesPushOneBranch,
		"one clone pushes to many repositories": pushToManyRepositories,
		"a push and a fetch":                    pushAndFetch,
	} {
		t.Run(name, func(t *testing.T) {
			c := w.xmppScene(t, sceneOptions{})
			play(c)
			c.sound()
		})
	}
}

func twoPushesOfOneClone(c *scene) {
	clone := c.clone()
	for _, branch := range []string{"one", "two"} {
		c.alice.git(clone, "checkout", "--quiet", "-b", branch, "origin/main")
		randomFile(c.T, filepath.Join(clone, branch), 1<<20)
		c.alice.commit(clone, branch)
	}
	together(c.T, c.alice.command(clone, "git", "push", "origin", "one"), c.alice.command(clone, "git", "push", "origin", "two"))
	for _, branch := range []string{"one", "two"} {
		if got, want := c.value("refs/heads/"+branch), c.alice.git(clone, "rev-parse", branch); got != want {
			c.Errorf("%s is %s, want %s", branch, got, want)
		}
	}
}

func manyClonesPushBranches(c *scene) {
	var pushes []*exec.Cmd
	want := make(map[string]string)
	for i, clone := range c.manyClones() {
		branch := fmt.Sprintf("topic%d", i)
		want[branch] = c.alice.commit(clone, branch)
		pushes = append(pushes, c.alice.command(clone, "git", "push", "origin", "HEAD:"+branch))
	}
	together(c.T, pushes...)
	for branch, id := range want {
		if got := c.value("refs/heads/" + branch); got != id {
			c.Errorf("%s is %s, want %s", branch, got, id)
		}
	}
}

// One gets the branch, the others their fallback refs.
func manyClonesPushOneBranch(c *scene) {
	var pushes []*exec.Cmd
	want := make(map[string]string) // by fallback ref
	for i, clone := range c.manyClones() {
		id := c.alice.commit(clone, fmt.Sprintf("of-%d", i))
		want[c.fallbackRef(clone, "main")] = id
		pushes = append(pushes, c.alice.command(clone, "git", "push", "origin", "main"))
	}
	together(c.T, pushes...)
	main, onMain := c.value("refs/heads/main"), 0
	for ref, id := range want {
		switch got := c.value(ref); {
		case id == main:
			onMain++
		case got != id:
			c.Errorf("%s is %s, want %s; main is %s", ref, got, id, main)
		}
	}
	if onMain != 1 {
		c.Errorf("main is %s: of %d pushes", main, onMain)
	}
}

func pushToManyRepositories(c *scene) {
	clone := c.clone()
	pushed := c.alice.commit(clone, "for all")
	var pushes []*exec.Cmd
	var served []string
	for i := range many {
		name := fmt.Sprintf("%s-%d", filepath.Base(filepath.Dir(c.served)), i)
		dir := c.bob.newRepo(filepath.Join("base", name+".git"), "--bare")
		c.bob.xmpp(dir, "peers", "set", c.alice.key(), "--access", "write", ".")
		served = append(served, dir)
		pushes = append(pushes, c.alice.command(clone, "git", "push", "xmpp::bob@localhost/"+name, "main"))
	}
	together(c.T, pushes...)
	for _, dir := range served {
		if got := c.bob.git(dir, "rev-parse", "main"); got != pushed {
			c.Errorf("%s: main is %s, want %s", dir, got, pushed)
		}
		c.bob.git(dir, "fsck", "--strict")
	}
}

func pushAndFetch(c *scene) {
	clone, other := c.clone(), filepath.Join(c.dir, "other")
	c.alice.git(c.dir, "clone", "--quiet", c.url, other)
	randomFile(c.T, filepath.Join(other, "blob"), 1<<20)
	theirs := c.alice.commit(other, "theirs")
	c.alice.git(other, "push", "--quiet", "origin", "main:theirs")
	randomFile(c.T, filepath.Join(clone, "blob"), 1<<20)
	ours := c.alice.commit(clone, "ours")
	together(c.T, c.alice.command(clone, "git", "push", "origin", "main:ours"), c.alice.command(clone, "git", "fetch", "origin", "theirs"))
	if got := c.value("refs/heads/ours"); got != ours {
		c.Errorf("pushed %s, want %s", got, ours)
	}
	if got := c.alice.git(clone, "rev-parse", "FETCH_HEAD"); got != theirs {
		c.Errorf("fetched %s, want %s", got, theirs)
	}
	c.alice.git(clone, "fsck", "--strict")
}

// Two repositories push to each other at the same moment, again and again: each serves, and has the other as its remote.
func TestPushToEachOther(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	bobs := bob.newRepo("proj")
	bob.serve(bobs)
	alice.git(alice.dir, "clone", "--quiet", bob.xmpp(bobs, "invite"), "clone")
	hers := filepath.Join(alice.dir, "clone")
	alice.serve(hers)
	bob.git(bobs, "remote", "add", "origin", alice.xmpp(hers, "invite"))
	bob.git(bobs, "fetch", "--quiet")
	for n := range 3 {
		tips := make(map[string]string)
		for dir, h := range map[string]*home{bobs: bob, hers: alice} {
			h.git(dir, "checkout", "--quiet", "-B", h.name)
			randomFile(t, filepath.Join(dir, h.name+".blob"), 1<<20)
			tips[h.name] = h.commit(dir, fmt.Sprint(n))
		}
		together(t, alice.command(hers, "git", "push", "origin", "Alice"), bob.command(bobs, "git", "push", "origin", "Bob"))
		for dir, h := range map[string]*home{bobs: bob, hers: alice} {
			for branch, id := range tips {
				if got := h.git(dir, "rev-parse", branch); got != id {
					t.Errorf("%s's %s is %s, want %s", h.name, branch, got, id)
				}
			}
			h.git(dir, "fsck", "--strict")
		}
	}
}

// A gate is a script that lets nobody through until it is opened; it says when the first is there.
type gate struct{ script, entered, open string }

func newGate(t *testing.T, then string) *gate {
	dir := t.TempDir()
	g := &gate{entered: filepath.Join(dir, "entered"), open: filepath.Join(dir, "open")}
	g.script = "#!/bin/sh\n: >" + g.entered + "\nwhile ! [ -e " + g.open + " ]; do sleep 0.05; done\n" + then + "\n"
	return g
}

// oneAtATime runs the first command up to the gate, has all others wait and be told so, opens the gate, and expects that all
// succeed.
func oneAtATime(t *testing.T, g *gate, what, whats string, cmds []*exec.Cmd) {
	t.Helper()
	first, others := cmds[0], cmds[1:]
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, g.entered)
	var waiting []<-chan string
	for i, cmd := range others {
		lines := startLines(t, cmd)
		want := fmt.Sprintf("waiting: %d %s before this one", i+1, whats)
		if i == 0 {
			want = "waiting: 1 " + what + " before this one"
		}
		awaitLine(t, lines, want)
		waiting = append(waiting, lines)
	}
	if err := os.WriteFile(g.open, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i, cmd := range others {
		all.Go(func() {
			var said strings.Builder
			for line := range waiting[i] {
				said.WriteString(line + "\n")
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %v: %s", cmd.Args, err, &said)
			}
		})
	}
	if err := first.Wait(); err != nil {
		t.Error(err)
	}
	all.Wait()
}

// With xmpp.maxPushes=1 many clones that push to one repository are all served, one by one, and each is told how many are before it.
func TestMaxPushes(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	bob.git(bob.dir, "config", "--global", "xmpp.maxPushes", "1")
	w := newSiteOf(t, bob, alice)
	c := w.xmppScene(t, sceneOptions{init: []string{workTree}})
	g := newGate(t, "")
	hook(t, c.served, "pre-receive", g.script)
	var pushes []*exec.Cmd
	for i, clone := range c.manyClones() {
		alice.commit(clone, fmt.Sprint(i))
		pushes = append(pushes, alice.command(clone, "git", "push", "origin", fmt.Sprintf("HEAD:topic%d", i)))
	}
	oneAtATime(t, g, "push", "pushes", pushes)
	if got := strings.Fields(bob.git(c.served, "for-each-ref", "--format=%(refname)", "refs/heads/topic*")); len(got) != many {
		t.Errorf("branches: %v", got)
	}
	c.sound()
}

// With xmpp.maxFetches=1 it is the same for those that fetch.
func TestMaxFetches(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	bob.git(bob.dir, "config", "--global", "xmpp.maxFetches", "1")
	w := newSiteOf(t, bob, alice)
	c := w.xmppScene(t, sceneOptions{init: []string{workTree}})
	clones := c.manyClones()
	tip := bob.commit(c.served, "news")
	g := newGate(t, `exec "$@"`)
	hook(t, c.served, "pack-objects", g.script)
	bob.git(bob.dir, "config", "--global", "uploadpack.packObjectsHook", filepath.Join(c.served, ".git", "hooks", "pack-objects"))
	var fetches []*exec.Cmd
	for _, clone := range clones {
		fetches = append(fetches, alice.command(clone, "git", "fetch", "origin"))
	}
	oneAtATime(t, g, "fetch", "fetches", fetches)
	for _, clone := range clones {
		if got := alice.git(clone, "rev-parse", "origin/main"); got != tip {
			t.Errorf("%s has %s, want %s", clone, got, tip)
		}
		alice.git(clone, "fsck", "--strict")
	}
}

// A limit that makes no sense is refused in one line.
func TestBadLimits(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob := newHome(t, s, "Bob", "bob")
	served := bob.newRepo("proj")
	for _, key := range []string{"xmpp.maxPushes", "xmpp.maxFetches"} {
		for _, value := range []string{"0", "-1", "65", "many", "1k"} {
			bob.git(served, "config", key, value)
			r := runWithin(t, deadline, bob.command(served, "git-remote-xmpp", "serve"))
			if r.status != 2 || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("%s=%q: %v", key, value, r)
			}
			mustSay(t, r.stderr, ourPrefix, key, "1 to 64")
		}
		bob.git(served, "config", "--unset", key)
	}
}
