package integration

import (
	"path/filepath"
	"testing"
)

// What fallback mode makes of pushes that git refuses by a path: the branch stays as it was, and the commits arrive.
var repositoryFallbacks = map[string]pushScene{
	"sha256-diverged":             {play: fallbackDivergedRepository, options: sceneOptions{init: []string{"--object-format=sha256"}}},
	"reftable-diverged":           {play: fallbackReftable},
	"packed-refs-diverged":        {play: fallbackPacked},
	"alternates-diverged":         {play: fallbackAlternates},
	"shallow-update-refused":      {play: fallbackShallow, options: setting("receive.shallowUpdate", "true")},
	"non-fast-forwards-denied":    {play: fallbackDivergedRepository, options: setting("receive.denyNonFastForwards", "true")},
	"dirty":                       {play: fallbackDirty, options: noBare},
	"staged":                      {play: fallbackStaged, options: noBare},
	"untracked-in-the-way":        {play: fallbackInTheWay, options: noBare},
	"unborn-in-the-way":           {play: fallbackUnborn, options: noBare},
	"deny-refuse":                 {play: fallbackDenied, options: denyCurrent("refuse")},
	"deny-true":                   {play: fallbackDenied, options: denyCurrent("true")},
	"checked-out-diverged":        {play: fallbackDivergedTree, options: noBare},
	"linked-dirty":                {play: fallbackLinkedDirty, options: noBare},
	"linked-of-bare-dirty":        {play: fallbackLinkedDirty},
	"linked-gone":                 {play: fallbackLinkedGone, options: noBare},
	"work-tree-elsewhere":         {play: fallbackElsewhere, options: noBare},
	"work-tree-in-config":         {play: fallbackWorktreeConfig, options: noBare},
	"delete-checked-out":          {play: fallbackDeleteCurrent, options: noBare},
	"fallback-hidden-by-owner":    {play: fallbackHidden, options: setting("transfer.hideRefs", "refs/synced")},
	"update-hook-of-a-hooks-path": {play: fallbackHooksPath},
}

// TestGitRepositoryFallback plays them over XMPP only.
func TestGitRepositoryFallback(t *testing.T) {
	w := repositorySite(t)
	for name, s := range repositoryFallbacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.play(t, "xmpp", s.options, s.play)
		})
	}
}

// pushed pushes Alice's main and fails the test unless git ends well and says what is wanted.
func (c *scene) pushed(dir string, wanted ...string) string {
	c.Helper()
	r := c.alice.try(dir, "git", "push", "origin", "main")
	if r.status != 0 {
		c.Errorf("push: %v", r)
	}
	mustSay(c.T, r.stderr, wanted...)
	return r.stderr
}

// arrivesAside pushes main, which Bob's main doesn't follow: the commits are in the fallback ref, and the pusher is told why.
func (c *scene) arrivesAside(dir string, why ...string) {
	c.Helper()
	before := c.value("refs/heads/main")
	said := c.pushed(dir, why...)
	mustSay(c.T, said, "main -> "+c.fallbackRef(dir, "main"))
	c.holds("refs/heads/main", before)
	c.holds(c.fallbackRef(dir, "main"), c.alice.git(dir, "rev-parse", "main"))
}

// arrives pushes main, which Bob's follows, and nothing is left of an earlier fallback ref.
func (c *scene) arrives(dir string) {
	c.Helper()
	c.pushed(dir, "  main -> main")
	c.holds("refs/heads/main", c.alice.git(dir, "rev-parse", "main"))
	c.holds(c.fallbackRef(dir, "main"), "")
}

func fallbackDivergedRepository(c *scene) {
	dir := c.diverged()
	c.arrivesAside(dir, " * [new reference]   ")
	c.mergeTheirs(dir)
	c.arrives(dir)
}

func fallbackReftable(c *scene) {
	c.reftable()
	fallbackDivergedRepository(c)
}

func fallbackPacked(c *scene) {
	dir := c.diverged()
	c.arrivesAside(dir)
	c.bob.git(c.served, "pack-refs", "--all", "--prune")
	c.alice.commit(dir, "more")
	c.arrivesAside(dir)
	c.bob.git(c.served, "pack-refs", "--all", "--prune")
	c.mergeTheirs(dir)
	c.arrives(dir)
}

func fallbackAlternates(c *scene) {
	c.seed("main")
	c.borrow()
	dir := c.local()
	c.bobCommits("main", "theirs")
	c.alice.commit(dir, "ours")
	c.arrivesAside(dir)
	c.mergeTheirs(dir)
	c.arrives(dir)
}

// A push that would make the repository shallow is refused, whatever the owner says: git hands no new shallow roots to the
// hook that takes in a push in this mode. In direct mode it goes through.
func fallbackShallow(c *scene) {
	c.seed("main", "second", "third")
	other := filepath.Join(c.dir, "other")
	c.alice.git(c.dir, "clone", "--quiet", "--branch=third", "file://"+c.served, other)
	c.alice.commit(other, "fourth")
	shallow := filepath.Join(c.dir, "shallow")
	c.alice.git(c.dir, "clone", "--quiet", "--depth=1", "file://"+other, shallow)
	r := c.alice.try(shallow, "git", "push", c.url, "third:new")
	if r.status != 1 {
		c.Errorf("%v", r)
	}
	mustSay(c.T, r.stderr, " ! [remote rejected] third -> new (shallow update not allowed)")
	c.holds("refs/heads/new", "")
	if got := c.bob.git(c.served, "rev-parse", "--is-shallow-repository"); got != "false" {
		c.Errorf("shallow: %s", got)
	}
}

// The owner doesn't want fallback refs to be seen; they are there all the same.
func fallbackHidden(c *scene) {
	dir := c.diverged()
	c.arrivesAside(dir)
	if got := c.alice.git(dir, "ls-remote", "origin", "refs/synced/*"); got != "" {
		c.Errorf("listed: %s", got)
	}
	c.mergeTheirs(dir)
	c.arrives(dir)
}

// The update hook is asked about the ref that is really written.
func fallbackHooksPath(c *scene) {
	c.hooksIn(filepath.Join(c.served, "their hooks"))
	c.bob.git(c.served, "config", "core.hooksPath", "their hooks")
	dir := c.diverged()
	c.arrivesAside(dir, "remote: pre-receive: refs/heads/main", "remote: update: refs/synced/", "remote: post-receive: ")
}
