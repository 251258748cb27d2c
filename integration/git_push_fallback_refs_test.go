package integration

import (
	"fmt"
	"path/filepath"
)

// `git push origin topic:main`, where topic is ahead of Bob's main, whatever Alice's own main is.
func divertOtherName(c *scene) {
	for i, diverged := range []bool{false, true} {
		if i == 0 {
			c.seed("main")
			c.local()
		}
		dir := filepath.Join(c.dir, "clone")
		if diverged {
			c.bobCommits("main", "theirs")
			c.alice.git(dir, "checkout", "--quiet", "main")
			c.alice.commit(dir, "ours")
		}
		c.fetched(dir)
		before := c.value("main")
		c.alice.git(dir, "checkout", "--quiet", "-B", "topic", before)
		topic := c.alice.commit(dir, fmt.Sprintf("topic%d", i))
		c.expect(c.git(dir, "push", "origin", "topic:main"), 0, short(before)+".."+short(topic)+"  topic -> main")
		c.holds("main", topic, c.fallbackRef(dir, "main"), "")
		if got := c.head(dir, "origin/main"); got != topic {
			c.Errorf("origin/main is %s", got)
		}
	}
}

// The same where topic has diverged from Bob's main, known or not.
func divertOtherNameDiverged(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.git(dir, "checkout", "--quiet", "-b", "topic")
	c.alice.commit(dir, "topic")
	for i, prepare := range []func(){
		func() { c.bobCommits("main", "theirs") },                         // Alice's main is behind, and she doesn't know
		func() { c.fetched(dir) },                                         // she does
		func() { c.alice.git(dir, "branch", "--force", "main", "topic") }, // main and topic are one
		func() { c.alice.git(dir, "branch", "--force", "main", "origin/main") },
	} {
		prepare()
		topic := c.alice.commit(dir, fmt.Sprintf("topic%d", i))
		theirs := c.value("main")
		r := c.git(dir, "push", "origin", "topic:main")
		ref := c.fallbackRef(dir, "main")
		c.expect(r, 0, "topic -> "+ref)
		c.holds("main", theirs, ref, topic)
	}
	c.expect(c.git(dir, "push", "origin", "topic:topic", "main:third"), 0, "topic -> topic", "main -> third")
	c.holds("topic", c.head(dir, "topic"), "third", c.head(dir, "main"))
}

func divertOneOfSeveral(c *scene) {
	dir := c.diverged()
	theirs := c.value("main")
	r := c.git(dir, "push", "origin", "main", "main:new", "main~1:refs/tags/v1", ":nothing")
	if r.status == 0 {
		c.Errorf("deleted what isn't there: %v", r)
	}
	c.holds("main", theirs, "new", "")
	r = c.git(dir, "push", "origin", "main", "main:new", "main~1:refs/tags/v1")
	ref := c.fallbackRef(dir, "main")
	c.expect(r, 0, " * [new reference]   main -> "+ref, " * [new branch]      main -> new", " * [new tag]         main~1 -> v1")
	c.holds("main", theirs, ref, c.head(dir, "main"), "new", c.head(dir, "main"), "v1", c.head(dir, "main~1"))
}

func divertAtomic(c *scene) {
	dir := c.twoBranches()
	theirs := c.bobCommits("bad", "theirs")
	r := c.git(dir, "push", "--atomic", "origin", "good", "bad", "good:new")
	ref := c.fallbackRef(dir, "bad")
	c.expect(r, 0, "  good -> good", " * [new reference]   bad -> "+ref, " * [new branch]      good -> new")
	c.holds("bad", theirs, ref, c.head(dir, "bad"), "good", c.head(dir, "good"), "new", c.head(dir, "good"))
	c.hook(c.served, "update", "[ $1 != refs/heads/newer ]\n")
	c.alice.commit(dir, "more")
	c.expect(c.git(dir, "push", "--atomic", "origin", "bad", "good:newer"), 1, "newer (hook declined)")
	c.holds("newer", "", ref, c.head(dir, "bad~1"))
}

// Something holds the lock of one branch.
func divertLocked(c *scene) {
	dir := c.twoBranches()
	c.write(filepath.Join(c.served, "refs", "heads", "bad.lock"), "")
	before := c.value("good")
	c.expect(c.git(dir, "push", "--atomic", "origin", "good", "bad"), 1, "! [remote rejected] bad -> bad (", "! [remote rejected] good -> good (", "bad.lock': File exists")
	c.holds("good", before)
	c.expect(c.git(dir, "push", "origin", "good", "bad"), 1, "! [remote rejected] bad -> bad (", "  good -> good", "bad.lock': File exists")
	c.holds("good", c.head(dir, "good"))
}

// Even a force overwrites nothing where Bob's repository doesn't let it.
func divertForcedDenied(c *scene) {
	dir := c.diverged()
	theirs := c.value("main")
	r := c.git(dir, "push", "--force", "origin", "main")
	ref := c.fallbackRef(dir, "main")
	c.expect(r, 0, "main -> "+ref)
	c.holds("main", theirs, ref, c.head(dir, "main"))
	c.fetched(dir)
	c.alice.commit(dir, "more")
	c.expect(c.git(dir, "push", "--force-with-lease", "origin", "main"), 0, "main -> "+ref)
	c.holds("main", theirs, ref, c.head(dir, "main"))
}

// Each has refs of its own, and doesn't see the other's.
func divertTwoPushers(c *scene) {
	dir := c.diverged()
	other := filepath.Join(c.dir, "other")
	c.alice.git(c.dir, "clone", "--quiet", c.url, other)
	c.bobCommits("main", "and again")
	c.alice.commit(other, "others")
	c.expect(c.git(dir, "push", "origin", "main"), 0, c.fallbackRef(dir, "main"))
	c.expect(c.git(other, "push", "origin", "main"), 0, c.fallbackRef(other, "main"))
	c.holds(c.fallbackRef(dir, "main"), c.head(dir, "main"), c.fallbackRef(other, "main"), c.head(other, "main"))
	r := c.git(other, "push", "origin", ":"+c.fallbackRef(dir, "main"))
	if r.status == 0 {
		c.Errorf("deleted what is another's: %v", r)
	}
	r = c.git(other, "push", "--force", "origin", "main:"+c.fallbackRef(dir, "main"))
	c.expect(r, 1, "! [remote rejected]")
	c.holds(c.fallbackRef(dir, "main"), c.head(dir, "main"))
}

// Everything becomes as Alice has it, and what lay in refs of her own isn't needed any more.
func divertMirror(c *scene) {
	dir := c.diverged()
	c.alice.git(dir, "config", "--unset", "remote.origin.fetch")
	c.bob.git(c.served, "branch", "only-bobs")
	c.expect(c.git(dir, "push", "origin", "main"), 0, "main -> "+c.fallbackRef(dir, "main"))
	c.expect(c.git(dir, "push", "--mirror", "origin"), 0, "main -> main (forced update)", " - [deleted]         only-bobs")
	c.holds("main", c.head(dir, "main"), "only-bobs", "", c.fallbackRef(dir, "main"), "")
	c.bobCommits("main", "theirs")
	c.alice.git(dir, "commit", "--quiet", "--amend", "--message", "ours again")
	c.expect(c.git(dir, "push", "origin", "main"), 0, "main -> "+c.fallbackRef(dir, "main"))
	c.expect(c.git(dir, "push", "--atomic", "--mirror", "origin"), 0, "main -> main (forced update)")
	c.holds("main", c.head(dir, "main"), c.fallbackRef(dir, "main"), "")
}

// Who has pushed a fallback ref may take it away.
func divertDeleteRef(c *scene) {
	dir := c.diverged()
	theirs := c.value("main")
	c.expect(c.git(dir, "push", "origin", "main"), 0, "main -> "+c.fallbackRef(dir, "main"))
	ref := c.fallbackRef(dir, "main")
	c.expect(c.git(dir, "push", "origin", "--prune", "refs/heads/*:refs/heads/*"), 0, "main -> "+ref)
	c.expect(c.git(dir, "push", "origin", "--delete", ref), 0, " - [deleted]         "+ref)
	c.holds("main", theirs, ref, "")
}
