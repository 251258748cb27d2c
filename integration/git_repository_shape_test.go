package integration

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
)

// Where a repository has its objects, its work tree and its hooks.
var repositoryShapes = map[string]pushScene{
	"alternates":                {play: alternates},
	"alternates-of-the-client":  {play: alternatesOfClient},
	"shallow":                   {play: shallowRepository},
	"shallow-new-roots":         {play: shallowPushedRoots},
	"shallow-update":            {play: shallowPushedRoots, options: sceneOptions{config: map[string]string{"receive.shallowUpdate": "true"}}, modes: []string{direct}},
	"work-tree-elsewhere":       {play: workTreeElsewhere, options: updateInstead, modes: []string{direct}},
	"worktree-config":           {play: worktreeConfig},
	"worktree-config-work-tree": {play: worktreeConfigElsewhere, options: updateInstead, modes: []string{direct}},
	"hooks-path-relative":       {play: hooksPath("../their hooks", "../their hooks")},
	"hooks-path-absolute":       {play: hooksPath("../their hooks", "")},
	"hooks-path-missing":        {play: hooksPathMissing},
}

// elsewhere makes a bare repository of Bob's beside the one of the scene, with some history, where serve doesn't see it.
func (c *scene) elsewhere() string {
	c.Helper()
	dir := filepath.Join(c.TempDir(), "elsewhere.git")
	c.bob.git(c.served, "clone", "--quiet", "--bare", c.served, dir)
	id := c.bob.git(dir, "commit-tree", "-p", "main", "-m", "elsewhere", "main^{tree}")
	c.bob.git(dir, "update-ref", "refs/heads/main", id)
	c.bob.git(dir, "update-ref", "refs/heads/only-there", id)
	return dir
}

// Bob's repository borrows objects of another, as after `git clone --shared` or `--reference`.
func alternates(c *scene) {
	c.seed("main", "topic/one")
	c.borrow()
	c.exchange()
	dir := filepath.Join(c.dir, "clone")
	c.alice.git(dir, "checkout", "--quiet", "-b", "on-theirs", "main~2") // what Bob has from elsewhere
	c.alice.commit(dir, "on theirs")
	c.git(dir, "push", "origin", "on-theirs")
	c.note("%s", c.bob.git(c.served, "count-objects"))
}

// borrow gives Bob's repository the objects of another, and removes its own copies of them.
func (c *scene) borrow() {
	c.Helper()
	other := c.elsewhere()
	c.write(filepath.Join(c.served, "objects", "info", "alternates"), filepath.Join(other, "objects")+"\n")
	c.bob.git(c.served, "fetch", "--quiet", other, "main:main")
	c.bob.git(c.served, "repack", "-a", "-d", "-l", "-q")
}

// Alice's clone borrows objects of a repository of hers: they aren't fetched again, and pushed all the same.
func alternatesOfClient(c *scene) {
	c.seed("main")
	reference := filepath.Join(c.dir, "reference.git")
	c.alice.git(c.dir, "clone", "--quiet", "--bare", "file://"+c.served, reference)
	id := c.alice.git(reference, "commit-tree", "-p", "main", "-m", "hers", "main^{tree}")
	c.alice.git(reference, "update-ref", "refs/heads/main", id)
	c.git(c.dir, "clone", "--reference", reference, c.url, "clone")
	dir := filepath.Join(c.dir, "clone")
	c.note("%s", c.alice.git(dir, "count-objects"))
	c.alice.git(dir, "merge", "--quiet", id)
	c.git(dir, "push", "origin", "main")
}

// shallowed leaves Bob's repository the last commit of main only, and returns a clone of Alice's that has them all.
func (c *scene) shallowed() string {
	c.Helper()
	c.seed("main", "second", "third")
	c.bob.git(c.served, "update-ref", "refs/heads/main", "third")
	c.bob.git(c.served, "branch", "-D", "second", "third")
	other := filepath.Join(c.TempDir(), "other.git")
	c.bob.git(c.served, "clone", "--quiet", "--bare", c.served, other)
	dir := c.local()
	c.bob.git(c.served, "update-ref", "-d", "refs/heads/main")
	c.bob.git(c.served, "fetch", "--quiet", "--depth=1", "file://"+other, "main:main")
	c.bob.git(c.served, "gc", "--quiet", "--prune=now")
	return dir
}

// Clones of a shallow repository are shallow, and pushes that build upon its last commit go through. A clone with the
// whole history can't push what is below.
func shallowRepository(c *scene) {
	full := c.shallowed()
	c.git(c.dir, "clone", "--bare", c.url, "shallow")
	c.note("%s", c.alice.git(filepath.Join(c.dir, "shallow"), "rev-parse", "--is-shallow-repository"))
	c.alice.commit(full, "on top")
	c.git(full, "push", "origin", "main", "main:topic")
	c.git(full, "push", "origin", "main~1:refs/heads/same")
	c.gitAside(full, "push", "origin", "main~2:refs/heads/below")
	c.git(full, "fetch")
	c.bobCommits("main", "answer")
	c.git(filepath.Join(c.dir, "shallow"), "fetch", "origin", "main:main")
	c.note("%s", c.bob.git(c.served, "rev-parse", "--is-shallow-repository"))
}

// A shallow clone pushes roots that Bob's full repository would become shallow by.
func shallowPushedRoots(c *scene) {
	c.seed("main", "second", "third")
	other := filepath.Join(c.dir, "other")
	c.alice.git(c.dir, "clone", "--quiet", "--branch=third", "file://"+c.served, other)
	c.alice.commit(other, "fourth")
	c.alice.commit(other, "fifth")
	shallow := filepath.Join(c.dir, "shallow")
	c.alice.git(c.dir, "clone", "--quiet", "--depth=1", "file://"+other, shallow)
	c.git(shallow, "push", c.url, "third:new", "third:refs/tags/v1")
	c.git(shallow, "fetch", c.url, "third")
	c.note("%s", c.bob.git(c.served, "rev-parse", "--is-shallow-repository"))
	c.note("%s", c.bob.git(c.served, "rev-list", "--count", "--all"))
}

// updateInstead are the options of a repository whose work tree git itself brings along.
var updateInstead = sceneOptions{init: []string{workTree}, config: map[string]string{"receive.denyCurrentBranch": "updateInstead"}}

// The work tree is where core.worktree says.
func workTreeElsewhere(c *scene) {
	dir := c.local()
	tree := c.moveTree()
	c.bob.git(c.served, "config", "core.worktree", tree)
	c.pushIntoTree(dir, tree)
}

// moveTree moves Bob's work tree to another place.
func (c *scene) moveTree() string {
	c.Helper()
	tree := filepath.Join(c.TempDir(), "tree")
	if err := os.Mkdir(tree, 0o700); err != nil {
		c.Fatal(err)
	}
	if err := os.Rename(filepath.Join(c.served, "first.txt"), filepath.Join(tree, "first.txt")); err != nil {
		c.Fatal(err)
	}
	return tree
}

// pushIntoTree pushes to the branch that is checked out in a tree of Bob's, until something is in the way.
func (c *scene) pushIntoTree(dir, tree string) {
	c.Helper()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main")
	c.noteFile(filepath.Join(tree, "more.txt"))
	c.note("%s", c.bob.git(c.served, "status", "--porcelain", "--branch"))
}

// Settings of one work tree are in a file of their own.
func worktreeConfig(c *scene) {
	c.bob.git(c.served, "config", "extensions.worktreeConfig", "true")
	c.bob.git(c.served, "config", "--unset", "core.bare")
	c.bob.git(c.served, "config", "--worktree", "core.bare", "true")
	exchange(c)
}

func worktreeConfigElsewhere(c *scene) {
	dir := c.local()
	tree := c.moveTree()
	c.bob.git(c.served, "config", "extensions.worktreeConfig", "true")
	c.bob.git(c.served, "config", "--worktree", "core.worktree", tree)
	c.pushIntoTree(dir, tree)
}

// hooksPath returns a scene with hooks in another folder, below the git dir, which core.hooksPath names relative to it
// or, if setting is empty, absolutely.
func hooksPath(folder, setting string) func(c *scene) {
	return func(c *scene) {
		dir := filepath.Join(c.served, folder)
		c.hooksIn(dir)
		c.bob.git(c.served, "config", "core.hooksPath", cmp.Or(setting, dir))
		c.hook(c.served, "pre-receive", "echo this one is not to run; exit 1\n")
		c.seed("main")
		clone := c.local()
		c.alice.commit(clone, "more")
		c.git(clone, "push", "origin", "main", "main:new")
		c.git(clone, "push", "origin", "main:bad")
	}
}

// hooksIn installs hooks in a folder.
func (c *scene) hooksIn(dir string) {
	c.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		c.Fatal(err)
	}
	for name, script := range map[string]string{
		"pre-receive":  "while read old new ref; do echo pre-receive: $ref; done\n",
		"update":       "echo update: $1; [ $1 != refs/heads/bad ]\n",
		"post-receive": "while read old new ref; do echo post-receive: $ref; done\n",
		"post-update":  "echo post-update: $@\n",
	} {
		path := filepath.Join(dir, name)
		c.write(path, "#!/bin/sh\n"+script)
		c.chmod(path, 0o700)
	}
}

// There is no folder where core.hooksPath points to: no hook runs, not even those in the usual place.
func hooksPathMissing(c *scene) {
	c.bob.git(c.served, "config", "core.hooksPath", "nowhere")
	c.hook(c.served, "pre-receive", "echo this one is not to run; exit 1\n")
	c.seed("main")
	dir := c.local()
	c.git(dir, "push", "origin", "main:new")
	if strings.Contains(strings.Join(c.record, "\n"), "not to run") {
		c.Error("a hook ran")
	}
}
