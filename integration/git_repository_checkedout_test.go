package integration

import (
	"os"
	"path/filepath"
)

// Pushes to a branch that is checked out. By a path git brings the files along if receive.denyCurrentBranch says
// updateInstead; in fallback mode without being told to.
var checkedOut = map[string]pushScene{
	"clean":                  {play: treeClean, options: updateInstead},
	"clean-unset":            {play: treeCleanUnset, options: noBare, modes: []string{fallback}},
	"dirty":                  {play: treeDirty, options: updateInstead, modes: []string{direct}},
	"staged":                 {play: treeStaged, options: updateInstead, modes: []string{direct}},
	"untracked-elsewhere":    {play: treeUntracked, options: updateInstead},
	"untracked-in-the-way":   {play: treeInTheWay, options: updateInstead, modes: []string{direct}},
	"unborn":                 {play: treeUnborn, options: updateInstead},
	"unborn-in-the-way":      {play: treeUnbornInTheWay, options: updateInstead, modes: []string{direct}},
	"unborn-unset":           {play: treeUnbornUnset, options: noBare, modes: []string{fallback}},
	"linked":                 {play: linkedClean, options: updateInstead},
	"linked-dirty":           {play: linkedDirty, options: updateInstead, modes: []string{direct}},
	"linked-of-bare":         {play: linkedClean, options: sceneOptions{config: updateInstead.config}},
	"linked-gone":            {play: linkedGone, options: updateInstead, modes: []string{direct}},
	"detached":               {play: treeDetached, options: noBare},
	"other-branch":           {play: treeOtherBranch, options: noBare},
	"diverged":               {play: treeDiverged, options: updateInstead, modes: []string{direct}},
	"deny-unset":             {play: treePushed, options: noBare, modes: []string{direct}},
	"deny-refuse":            {play: treePushed, options: denyCurrent("refuse"), modes: []string{direct}},
	"deny-true":              {play: treePushed, options: denyCurrent("true"), modes: []string{direct}},
	"deny-warn":              {play: treePushed, options: denyCurrent("warn")},
	"deny-ignore":            {play: treePushed, options: denyCurrent("ignore")},
	"deny-false":             {play: treePushed, options: denyCurrent("false")},
	"deny-in-bare":           {play: bareCurrent, options: sceneOptions{config: map[string]string{"receive.denyCurrentBranch": "refuse"}}},
	"executable-and-symlink": {play: treeModes, options: updateInstead},
}

var noBare = sceneOptions{init: []string{workTree}}

func denyCurrent(value string) sceneOptions {
	return sceneOptions{init: []string{workTree}, config: map[string]string{"receive.denyCurrentBranch": value}}
}

// treePushed pushes to the branch that is checked out.
func treePushed(c *scene) { c.treePush(c.local()) }

// treePush pushes a commit of Alice's to the branch that is checked out, and writes down what has become of the tree.
func (c *scene) treePush(dir string) {
	c.Helper()
	c.alice.commit(dir, "more")
	c.gitAside(dir, "push", "origin", "main")
	c.noteTree(c.bob, c.served)
}

// setPath has git bring files along by a path, where it isn't asked to over XMPP.
func (c *scene) setPath() {
	if c.over == "path" {
		c.bob.git(c.served, "config", "receive.denyCurrentBranch", "updateInstead")
	}
}

func treeClean(c *scene) {
	dir := c.local()
	c.treePush(dir)
	c.alice.git(dir, "rm", "--quiet", "first.txt")
	c.alice.git(dir, "mv", "more.txt", "moved.txt")
	c.treePush(dir)
	c.alice.git(dir, "branch", "topic")
	c.git(dir, "push", "origin", "topic")
}

func treeCleanUnset(c *scene) {
	c.setPath()
	treeClean(c)
}

func treeDirty(c *scene) {
	dir := c.local()
	c.write(filepath.Join(c.served, "first.txt"), "changed\n")
	c.treePush(dir)
}

func treeStaged(c *scene) {
	dir := c.local()
	c.write(filepath.Join(c.served, "staged.txt"), "staged\n")
	c.bob.git(c.served, "add", "staged.txt")
	c.treePush(dir)
}

func treeUntracked(c *scene) {
	dir := c.local()
	c.write(filepath.Join(c.served, "notes.txt"), "mine\n")
	c.treePush(dir)
}

func treeInTheWay(c *scene) {
	dir := c.local()
	c.write(filepath.Join(c.served, "more.txt"), "mine\n")
	c.treePush(dir)
}

// unborn makes Bob's branch one without a commit, and its tree empty.
func (c *scene) unborn() string {
	c.Helper()
	dir := c.local()
	c.bob.git(c.served, "rm", "--quiet", "first.txt")
	c.bob.git(c.served, "update-ref", "-d", "refs/heads/main")
	return dir
}

func treeUnborn(c *scene) { c.treePush(c.unborn()) }

func treeUnbornUnset(c *scene) {
	c.setPath()
	treeUnborn(c)
}

func treeUnbornInTheWay(c *scene) {
	dir := c.unborn()
	c.write(filepath.Join(c.served, "first.txt"), "mine\n")
	c.treePush(dir)
}

// linked gives Bob's repository a second work tree with the branch topic, and Alice a clone in which topic is ahead.
func (c *scene) linked() (dir, tree string) {
	c.Helper()
	if c.bob.try(c.served, "git", "rev-parse", "--verify", "--quiet", "main").status != 0 {
		c.seed("main")
	}
	tree = filepath.Join(c.dir, "linked tree")
	c.bob.git(c.served, "worktree", "add", "--quiet", "-b", "topic", tree, "main")
	dir = c.local("--branch=topic")
	c.alice.commit(dir, "more")
	return dir, tree
}

func linkedClean(c *scene) {
	dir, tree := c.linked()
	c.git(dir, "push", "origin", "topic", "topic:new")
	c.noteTree(c.bob, tree)
	c.git(dir, "push", "origin", ":topic")
	c.note("%s", c.bob.try(tree, "git", "status", "--porcelain", "--branch"))
}

func linkedDirty(c *scene) {
	dir, tree := c.linked()
	c.write(filepath.Join(tree, "more.txt"), "mine\n")
	c.bob.git(tree, "add", "more.txt")
	c.git(dir, "push", "origin", "topic")
	c.noteTree(c.bob, tree)
}

// The second work tree has been thrown away without a word to git.
func linkedGone(c *scene) {
	dir, tree := c.linked()
	if err := os.RemoveAll(tree); err != nil {
		c.Fatal(err)
	}
	c.gitAside(dir, "push", "origin", "topic")
}

// No branch is checked out: each may move, and the tree stays as it is.
func treeDetached(c *scene) {
	dir := c.local()
	c.bob.git(c.served, "checkout", "--quiet", "--detach")
	c.treePush(dir)
	c.git(c.dir, "ls-remote", "--symref", c.url)
	c.git(c.dir, "clone", "--branch=main", c.url, "again")
}

func treeOtherBranch(c *scene) {
	dir := c.local()
	c.bob.git(c.served, "checkout", "--quiet", "-b", "bobs")
	c.treePush(dir)
}

func treeDiverged(c *scene) {
	dir := c.local()
	c.bob.commit(c.served, "theirs")
	c.treePush(dir)
	c.mergeTheirs(dir)
	c.git(dir, "push", "origin", "main")
	c.noteTree(c.bob, c.served)
}

// The branch that HEAD of a bare repository names may always be pushed to.
func bareCurrent(c *scene) {
	c.seed("main")
	dir := c.local()
	c.alice.commit(dir, "more")
	c.git(dir, "push", "origin", "main")
}

// Modes of files follow, and what was a file may become a folder.
func treeModes(c *scene) {
	dir := c.local()
	c.write(filepath.Join(dir, "run"), "#!/bin/sh\n")
	c.chmod(filepath.Join(dir, "run"), 0o700)
	if err := os.Symlink("run", filepath.Join(dir, "link")); err != nil {
		c.Fatal(err)
	}
	c.treePush(dir)
	c.alice.git(dir, "rm", "--quiet", "link")
	if err := os.Mkdir(filepath.Join(dir, "link"), 0o700); err != nil {
		c.Fatal(err)
	}
	c.write(filepath.Join(dir, "link", "file"), "below\n")
	c.alice.git(dir, "add", "link")
	c.alice.git(dir, "commit", "--quiet", "--message=a folder")
	c.git(dir, "push", "origin", "main")
	info, err := os.Stat(filepath.Join(c.served, "run"))
	if err != nil {
		c.Fatal(err)
	}
	c.note("%s", info.Mode())
	c.note("%s", c.bob.git(c.served, "status", "--porcelain"))
}
