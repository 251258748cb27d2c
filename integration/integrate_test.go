package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// merging are the options of a repository that merges what is pushed.
func merging(init ...string) sceneOptions {
	return sceneOptions{init: init, config: map[string]string{"xmpp.integrate": "merge"}}
}

// What xmpp.integrate=merge makes of pushes that have diverged.
func TestIntegrateMerge(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	for name, s := range map[string]struct {
		play    func(c *scene)
		options sceneOptions
	}{
		"bare":            {mergeClean, merging()},
		"sha256":          {mergeClean, merging("--object-format=sha256")},
		"work-tree":       {mergeClean, merging(workTree)},
		"dirty-work-tree": {mergeDirty, merging(workTree)},
		"conflict":        {mergeConflict, merging()},
		"again":           {mergeAgain, merging()},
		"atomic":          {mergeAtomic, merging()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.play(t, "xmpp", s.options, s.play)
		})
	}
}

func TestIntegrateMergeEjabberd(t *testing.T) {
	newSite(t, testserver.New(t, testserver.Ejabberd, testserver.Options{})).play(t, "xmpp", merging(), mergeClean)
}

// both returns a clone of Alice's; she and Bob have each committed a file to main since. In a bare repository Bob does it in a clone.
func (c *scene) both(bobs, alices string) (clone, theirs, ours string) {
	c.Helper()
	work := c.served
	if c.bob.git(c.served, "rev-parse", "--is-bare-repository") == "true" {
		c.seed("main")
		work = filepath.Join(c.TempDir(), "work")
		c.bob.git(c.bob.dir, "clone", "--quiet", c.served, work)
	}
	clone = c.local()
	theirs = c.bob.commit(work, bobs)
	if work != c.served {
		c.bob.git(work, "push", "--quiet", "origin", "main")
	}
	return clone, theirs, c.alice.commit(clone, alices)
}

// parents fails the test unless Bob's main is the merge of two commits.
func (c *scene) parents(first, second string) {
	c.Helper()
	if got := c.bob.git(c.served, "log", "-1", "--format=%P", "main"); got != first+" "+second {
		c.Errorf("main has the parents %s, want %s and %s", got, first, second)
	}
}

// tidy fails the test if Bob has fallback refs.
func (c *scene) tidy() {
	c.Helper()
	if refs := c.bob.git(c.served, "for-each-ref", "refs/synced"); refs != "" {
		c.Errorf("fallback refs are left:\n%s", refs)
	}
}

// The merge is made there, says who pushed, and comes with the next fetch.
func mergeClean(c *scene) {
	clone, theirs, ours := c.both("bobs", "alices")
	r := c.alice.gitBoth(clone, "push", "origin", "main")
	merge := c.value("refs/heads/main")
	c.expect(r, 0, "remote: main: merged with what was there as "+merge[:10]+"; git pull brings it", theirs[:7]+".."+ours[:7]+"  main -> main")
	if strings.Contains(r.stderr, "error") {
		c.Errorf("git complains: %v", r)
	}
	c.parents(theirs, ours)
	c.tidy()
	want := "Alice <alice@localhost> Bob <Bob@example.org> Merge branch 'main' of alice@localhost"
	if got := c.bob.git(c.served, "log", "-1", "--format=%an <%ae> %cn <%ce> %s", "main"); got != want {
		c.Errorf("the merge is by %s", got)
	}
	mustSay(c.T, c.bob.git(c.served, "log", "-1", "--format=%b", "main"),
		"Xmpp-Peer-JID: alice@localhost", "Xmpp-Peer-UUID: "+c.alice.git(clone, "config", "xmpp.uuid"), "Xmpp-Peer-Key: SHA256:")
	if files := c.bob.git(c.served, "ls-tree", "--name-only", "main"); !strings.Contains(files, "alices.txt") || !strings.Contains(files, "bobs.txt") {
		c.Errorf("the merge holds %s", files)
	}
	c.expect(c.alice.gitBoth(clone, "fetch"), 0, ours[:7]+".."+merge[:7]+"  main")
	c.alice.git(clone, "pull", "--quiet", "--ff-only")
	if got := c.head(clone, "main"); got != merge {
		c.Errorf("after a pull main is %s, want %s", got, merge)
	}
	c.expect(c.alice.gitBoth(clone, "push", "origin", "main"), 0, "Everything up-to-date")
	if c.bob.git(c.served, "rev-parse", "--is-bare-repository") == "false" && c.bob.git(c.served, "status", "--porcelain") != "" {
		c.Error("Bob's work tree wasn't brought along")
	}
}

// A work tree with changes stays as it is, and main with it.
func mergeDirty(c *scene) {
	clone, theirs, ours := c.both("bobs", "alices")
	c.write(filepath.Join(c.served, "bobs.txt"), "changed\n")
	r := c.alice.gitBoth(clone, "push", "origin", "main")
	c.expect(r, 0, "remote: main is checked out with changes in a work tree there: left as it was")
	c.holds("refs/heads/main", theirs, c.fallbackRef(clone, "main"), ours)
	if got := c.bob.git(c.served, "status", "--porcelain"); got != "M bobs.txt" {
		c.Errorf("Bob's work tree: %s", got)
	}
}

// A conflict is for people; then the push goes through.
func mergeConflict(c *scene) {
	clone, theirs, ours := c.both("same", "same")
	r := c.alice.gitBoth(clone, "push", "origin", "main")
	ref := c.fallbackRef(clone, "main")
	c.expect(r, 0,
		"remote: main has a conflict in same.txt: left as it was; your commits are in "+ref, " * [new reference]   main -> "+ref)
	c.holds("refs/heads/main", theirs, ref, ours)
	c.alice.git(clone, "pull", "--quiet", "--no-rebase", "--no-edit", "--strategy-option=ours", "origin", "main")
	merge := c.head(clone, "main")
	c.expect(c.alice.gitBoth(clone, "push", "origin", "main"), 0, theirs[:7]+".."+merge[:7]+"  main -> main")
	c.holds("refs/heads/main", merge)
	c.tidy()
}

// The same again makes no second merge; what was committed since without a fetch is merged, too.
func mergeAgain(c *scene) {
	clone, theirs, ours := c.both("bobs", "alices")
	c.alice.git(clone, "push", "--quiet", "origin", "main")
	c.parents(theirs, ours)
	first := c.value("refs/heads/main")
	for range 2 {
		c.expect(c.alice.gitBoth(clone, "push", "origin", "main"), 0, "remote: main has your commits already", ours[:7]+".."+ours[:7]+"  main -> main")
	}
	c.holds("refs/heads/main", first)
	more := c.alice.commit(clone, "more")
	c.expect(c.alice.gitBoth(clone, "push", "origin", "main"), 0, "remote: main: merged")
	c.parents(first, more)
	c.alice.git(clone, "pull", "--quiet", "--ff-only", "origin", "main")
	c.holds("refs/heads/main", c.head(clone, "main"))
	c.tidy()
}

// All or nothing, merges included.
func mergeAtomic(c *scene) {
	clone, theirs, ours := c.both("bobs", "alices")
	c.hook(c.served, "update", "[ $1 != refs/heads/bad ]\n")
	r := c.alice.try(clone, "git", "push", "--atomic", "origin", "main", "main:bad")
	c.expect(r, 1, "(hook declined)")
	c.holds("refs/heads/main", theirs, "refs/heads/bad", "")
	r = c.alice.gitBoth(clone, "push", "--atomic", "origin", "main", "main:good")
	c.expect(r, 0, "remote: main: merged", "main -> good")
	c.parents(theirs, ours)
	c.holds("refs/heads/good", ours)
}

// Two people push to one branch at the same time: both are merged, and nothing is lost.
func TestIntegrateTwoPushers(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	w, carol := newSite(t, s), newHome(t, s, "Carol", "carol")
	carol.git(carol.dir, "ls-remote", w.bob.xmpp(filepath.Join(w.base, "first.git"), "invite", "--label", "Carol"))
	for name, init := range map[string]string{"bare": "--bare", "work-tree": workTree} {
		t.Run(name, func(t *testing.T) {
			w.play(t, "xmpp", merging(init), func(c *scene) {
				c.bob.xmpp(c.served, "peers", "set", carol.key(), "--access", "write", ".")
				clone, _, ours := c.both("bobs", "alices")
				carols := filepath.Join(carol.dir, name)
				carol.git(carol.dir, "clone", "--quiet", c.url, carols)
				carol.git(carols, "reset", "--quiet", "--hard", "HEAD~1")
				theirs := carol.commit(carols, "carols")
				pushes := []func() result{
					func() result { return c.alice.try(clone, "git", "push", "origin", "main") },
					func() result { return carol.try(carols, "git", "push", "origin", "main") },
				}
				results := make([]result, len(pushes))
				var all sync.WaitGroup
				for i, push := range pushes {
					all.Go(func() { results[i] = push() })
				}
				all.Wait()
				for _, r := range results {
					c.expect(r, 0, "remote: main: merged", "main -> main")
				}
				for _, id := range []string{ours, theirs} {
					c.bob.git(c.served, "merge-base", "--is-ancestor", id, "main")
				}
				if got := c.bob.git(c.served, "rev-list", "--count", "--merges", "main"); got != "2" {
					c.Errorf("main has %s merges", got)
				}
				c.tidy()
				for h, dir := range map[*home]string{c.alice: clone, carol: carols} {
					h.git(dir, "pull", "--quiet", "--ff-only", "origin", "main")
					c.holds("refs/heads/main", h.git(dir, "rev-parse", "main"))
				}
			})
		})
	}
}

// Fallback refs go when Bob has merged them by hand, whoever comes next; others' aren't shown to who fetches.
func TestTidyAfterMergeByHand(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	for name, init := range map[string]string{"bare": "--bare", "work-tree": workTree} {
		t.Run(name, func(t *testing.T) {
			w.play(t, "xmpp", sceneOptions{init: []string{init}}, func(c *scene) {
				clone, theirs, ours := c.both("bobs", "alices")
				other := filepath.Join(c.dir, "other") // another client of Alice's
				c.alice.git(c.dir, "clone", "--quiet", c.url, other)
				c.alice.gitBoth(clone, "push", "origin", "main")
				ref := c.fallbackRef(clone, "main")
				c.holds("refs/heads/main", theirs, ref, ours)
				mustSay(c.T, c.alice.git(clone, "ls-remote", "origin"), ref)
				if said := c.alice.git(other, "ls-remote", "origin"); strings.Contains(said, "refs/synced") {
					c.Errorf("another client sees\n%s", said)
				}
				c.mergeByHand(ref)
				merge := c.value("refs/heads/main")
				c.expect(c.alice.gitBoth(other, "fetch"), 0, fmt.Sprintf("%s..%s  main", theirs[:7], merge[:7]))
				c.tidy()
				c.alice.git(clone, "pull", "--quiet", "--ff-only", "origin", "main")
				if got := c.head(clone, "main"); got != merge {
					c.Errorf("after a pull main is %s, want %s", got, merge)
				}
			})
		})
	}
}

// mergeByHand is what Bob does with a fallback ref.
func (c *scene) mergeByHand(ref string) {
	c.Helper()
	if c.bob.git(c.served, "rev-parse", "--is-bare-repository") == "false" {
		c.bob.git(c.served, "merge", "--quiet", "--no-edit", ref)
		return
	}
	work := filepath.Join(c.TempDir(), "merge")
	c.bob.git(c.bob.dir, "clone", "--quiet", c.served, work)
	c.bob.git(work, "pull", "--quiet", "--no-rebase", "--no-edit", "origin", ref)
	c.bob.git(work, "push", "--quiet", "origin", "main")
}
