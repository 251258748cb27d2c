package integration

import (
	"os"
	"path/filepath"
	"strings"
)

// aside pushes a commit to the branch that is checked out, where the work tree can't follow, and nothing in it changes.
func (c *scene) aside(dir, why string) {
	c.Helper()
	before := c.treeNow(c.served)
	c.alice.commit(dir, "more")
	c.arrivesAside(dir, "remote: main is checked out "+why)
	if now := c.treeNow(c.served); now != before {
		c.Errorf("the work tree was\n%s\nand is\n%s", before, now)
	}
}

// treeNow is what is in a work tree of Bob's.
func (c *scene) treeNow(dir string) string {
	c.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		c.Fatal(err)
	}
	var text strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			c.Fatal(err)
		}
		text.WriteString(filepath.Base(file) + ": " + string(content))
	}
	return text.String() + c.bob.git(dir, "status", "--porcelain")
}

func fallbackDirty(c *scene) {
	dir := c.local()
	c.write(filepath.Join(c.served, "first.txt"), "changed\n")
	c.aside(dir, "with changes in a work tree there")
	c.bob.git(c.served, "checkout", "--quiet", "first.txt")
	c.alice.commit(dir, "later")
	c.arrives(dir)
	c.noteTree(c.bob, c.served)
}

func fallbackStaged(c *scene) {
	dir := c.local()
	c.write(filepath.Join(c.served, "staged.txt"), "staged\n")
	c.bob.git(c.served, "add", "staged.txt")
	c.aside(dir, "with changes in a work tree there")
}

func fallbackInTheWay(c *scene) {
	dir := c.local()
	c.write(filepath.Join(c.served, "more.txt"), "mine\n")
	c.aside(dir, "in a work tree there, where files that git doesn't know are in the way")
}

func fallbackUnborn(c *scene) {
	dir := c.unborn()
	c.write(filepath.Join(c.served, "first.txt"), "mine\n")
	c.aside(dir, "in a work tree there, where files that git doesn't know are in the way")
}

func fallbackDenied(c *scene) {
	c.aside(c.local(), "there, where receive.denyCurrentBranch is set to refuse")
}

func fallbackDivergedTree(c *scene) {
	dir := c.local()
	c.bob.commit(c.served, "theirs")
	c.alice.commit(dir, "ours")
	c.arrivesAside(dir)
	c.mergeTheirs(dir)
	c.arrives(dir)
	if got := c.bob.git(c.served, "status", "--porcelain"); got != "" {
		c.Errorf("the work tree isn't clean: %s", got)
	}
}

func fallbackLinkedDirty(c *scene) {
	dir, tree := c.linked()
	c.write(filepath.Join(tree, "more.txt"), "mine\n")
	c.bob.git(tree, "add", "more.txt")
	before, at := c.treeNow(tree), c.value("refs/heads/topic")
	r := c.alice.gitBoth(dir, "push", "origin", "topic")
	ref := c.fallbackRef(dir, "topic")
	mustSay(c.T, r.stderr, "remote: topic is checked out with changes in a work tree there", "topic -> "+ref)
	c.holds("refs/heads/topic", at)
	c.holds(ref, c.alice.git(dir, "rev-parse", "topic"))
	if now := c.treeNow(tree); now != before {
		c.Errorf("the work tree was\n%s\nand is\n%s", before, now)
	}
}

// A second work tree that has been thrown away is in nobody's way.
func fallbackLinkedGone(c *scene) {
	dir, tree := c.linked()
	if err := os.RemoveAll(tree); err != nil {
		c.Fatal(err)
	}
	mustSay(c.T, c.alice.gitBoth(dir, "push", "origin", "topic").stderr, "  topic -> topic")
	c.holds("refs/heads/topic", c.alice.git(dir, "rev-parse", "topic"))
}

// By a path git looks for the files in the wrong place and refuses; here they follow.
func fallbackElsewhere(c *scene) {
	dir := c.local()
	tree := c.moveTree()
	c.bob.git(c.served, "config", "core.worktree", tree)
	c.followsElsewhere(dir, tree)
}

func fallbackWorktreeConfig(c *scene) {
	dir := c.local()
	tree := c.moveTree()
	c.bob.git(c.served, "config", "extensions.worktreeConfig", "true")
	c.bob.git(c.served, "config", "--worktree", "core.worktree", tree)
	c.followsElsewhere(dir, tree)
}

func (c *scene) followsElsewhere(dir, tree string) {
	c.Helper()
	c.alice.commit(dir, "more")
	c.arrives(dir)
	if content, err := os.ReadFile(filepath.Join(tree, "more.txt")); err != nil || string(content) != "Alice more\n" {
		c.Errorf("the file didn't follow: %q, %v", content, err)
	}
	if got := c.bob.git(c.served, "status", "--porcelain"); got != "" {
		c.Errorf("the work tree isn't clean: %s", got)
	}
}

// A deletion is refused as one of the current branch, not as an update of it.
func fallbackDeleteCurrent(c *scene) {
	dir := c.local()
	before := c.value("refs/heads/main")
	r := c.alice.try(dir, "git", "push", "origin", ":main", "main:new")
	if r.status != 1 {
		c.Errorf("%v", r)
	}
	mustSay(c.T, r.stderr, " ! [remote rejected] main (deletion of the current branch prohibited)", " * [new branch]      main -> new")
	c.holds("refs/heads/main", before)
}
