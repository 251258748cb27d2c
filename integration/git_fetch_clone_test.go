package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// The kinds of clone.
func TestGitClone(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{
		"plain and bare":     clonePlain,
		"mirror":             cloneMirror,
		"broken objects":     cloneBroken,
		"branches":           cloneBranches,
		"reference":          cloneReference,
		"options":            cloneOptions,
		"empty in version 0": func(c *scene) { cloneEmpty(c, versions[0]) },
		"empty in version 1": func(c *scene) { cloneEmpty(c, versions[1]) },
		"empty in version 2": func(c *scene) { cloneEmpty(c, versions[2]) },
		"with a work tree":   cloneWorkTree,
		"without a folder":   cloneNames,
		"into what is there": cloneIntoOther,
	})
}

// noteConfig writes down the settings of a clone's remotes and branches.
func (c *scene) noteConfig(dir string) {
	c.Helper()
	c.note("%s", c.alice.git(dir, "config", "--local", "--get-regexp", "^(remote|branch|core|extensions)"))
}

func clonePlain(c *scene) {
	c.grow("main", 3)
	c.grow("topic", 1)
	c.bob.git(c.served, "tag", "-a", "-m", "one", "v1", "main")
	for _, args := range [][]string{{"plain"}, {"bare", "--bare"}, {"unchecked", "--no-checkout"}, {"loud", "--verbose"}, {"quiet", "--quiet"}, {"untagged", "--no-tags"}} {
		dir := filepath.Join(c.dir, args[0])
		c.git(c.dir, append(append([]string{"clone"}, args[1:]...), c.url, dir)...)
		c.noteConfig(dir)
	}
	c.git(filepath.Join(c.dir, "plain"), "status", "--branch")
	c.git(filepath.Join(c.dir, "unchecked"), "status", "--short")
}

func cloneMirror(c *scene) {
	c.grow("main", 3)
	for _, ref := range []string{"refs/tags/v1", "refs/notes/commits", "refs/odd/one", "refs/heads/a/b"} {
		c.bob.git(c.served, "update-ref", ref, "main")
	}
	mirror := filepath.Join(c.dir, "mirror")
	c.git(c.dir, "clone", "--mirror", c.url, mirror)
	c.noteConfig(mirror)
	c.grow("main", 1)
	c.bob.git(c.served, "update-ref", "refs/tags/v1", "main")
	c.bob.git(c.served, "update-ref", "-d", "refs/odd/one")
	c.git(mirror, "remote", "update", "--prune")
	c.git(mirror, "remote", "show", "origin")
}

func cloneBranches(c *scene) {
	c.grow("main", 3)
	c.grow("topic", 2)
	c.bob.git(c.served, "tag", "-a", "-m", "one", "v1", "main~1")
	for i, args := range [][]string{{"--single-branch"}, {"--branch=topic"}, {"--branch=topic", "--single-branch"}, {"--branch=v1"}, {"--branch=none"}, {"--branch=refs/heads/main"}} {
		dir := filepath.Join(c.dir, fmt.Sprintf("clone%d", i))
		c.git(c.dir, append(append([]string{"clone"}, args...), c.url, dir)...)
		if _, err := os.Stat(dir); err == nil {
			c.noteConfig(dir)
		}
	}
	c.grow("topic", 1)
	c.git(filepath.Join(c.dir, "clone0"), "fetch")
}

func cloneReference(c *scene) {
	c.grow("main", 5)
	old := filepath.Join(c.dir, "old")
	c.alice.git(c.dir, "clone", "--quiet", "--bare", c.url, old)
	c.grow("main", 2)
	c.git(c.dir, "clone", "--reference", old, c.url, "borrows")
	c.note("%s", c.alice.git(filepath.Join(c.dir, "borrows"), "count-objects", "-v", "-H"))
	c.git(c.dir, "clone", "--reference", old, "--dissociate", c.url, "dissociated")
	c.git(c.dir, "clone", "--reference-if-able", filepath.Join(c.dir, "none"), c.url, "unable")
	c.git(c.dir, "clone", "--reference", filepath.Join(c.dir, "none"), c.url, "fails")
	c.git(c.dir, "clone", "--shared", c.url, "shared")
	c.git(c.dir, "clone", "--local", c.url, "local")
}

func cloneOptions(c *scene) {
	c.grow("main", 3)
	c.grow("other", 1)
	for i, args := range [][]string{
		{"--origin=upstream"}, {"--sparse"}, {"--separate-git-dir=" + filepath.Join(c.dir, "git")}, {"--bundle-uri=" + filepath.Join(c.dir, "none")},
		{"--config=core.abbrev=9", "--config=remote.origin.fetch=+refs/notes/*:refs/notes/*", "--template=", "--jobs=2", "--recurse-submodules"},
		{"--server-option=x", "--ipv4", "--no-local", "--no-hardlinks", "--upload-pack=git-upload-pack"},
	} {
		dir := filepath.Join(c.dir, fmt.Sprintf("clone%d", i))
		c.git(c.dir, append(append([]string{"clone"}, args...), c.url, dir)...)
		c.noteConfig(dir)
	}
}

// cloneEmpty clones a repository without a commit, and pushes the first.
func cloneEmpty(c *scene, version string) {
	c.bob.git(c.served, "symbolic-ref", "HEAD", "refs/heads/trunk")
	clone := filepath.Join(c.dir, "clone")
	c.git(c.dir, "-c", version, "clone", c.url, clone)
	c.alice.git(clone, "config", "protocol.version", strings.TrimPrefix(version, "protocol.version="))
	c.git(clone, "ls-remote", "--symref")
	c.git(clone, "fetch")
	c.git(clone, "pull")
	c.alice.commit(clone, "first")
	c.git(clone, "push", "--set-upstream", "origin", "HEAD")
	c.git(clone, "pull")
	c.git(c.dir, "-c", version, "clone", c.url, "second")
	c.refused(c.dir, "-c", version, "clone", "--branch=none", c.url, "third")
}

// cloneWorkTree clones a repository that has a work tree and a linked one.
func cloneWorkTree(c *scene) {
	work := filepath.Join(filepath.Dir(c.served), "work")
	c.grow("main", 2)
	c.bob.git(c.served, "worktree", "add", "--quiet", "-b", "linked", work, "main~1")
	c.bob.commit(work, "there")
	c.git(c.dir, "clone", c.url, "clone")
	c.git(c.dir, "clone", "--branch=linked", c.url, "linked")
}

// cloneNames leaves it to git to name the folder.
func cloneNames(c *scene) {
	c.grow("main", 1)
	c.git(c.dir, "clone", c.url)
	c.git(c.dir, "clone", "--bare", c.url)
	c.git(c.dir, "clone", c.url+"/", "slash")
	c.git(c.dir, "clone", c.url+".git", "suffix")
	c.git(c.dir, "clone", c.url)
}

func cloneIntoOther(c *scene) {
	c.grow("main", 1)
	taken := filepath.Join(c.dir, "taken")
	if err := os.Mkdir(taken, 0o700); err != nil {
		c.Fatal(err)
	}
	c.git(c.dir, "clone", c.url, "taken") // an empty folder is fine
	c.git(c.dir, "clone", c.url, "taken")
}

// cloneBroken clones a repository that has an object that isn't as it should be, with and without a check.
func cloneBroken(c *scene) {
	c.grow("main", 1)
	cmd := c.bob.command(c.served, "git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
	cmd.Stdin = strings.NewReader("tree " + c.bob.git(c.served, "rev-parse", "main^{tree}") + "\nauthor Bob 1 +0000\ncommitter Bob 1 +0000\n\nbroken\n")
	r := run(c, cmd)
	c.bob.git(c.served, "update-ref", "refs/heads/broken", strings.TrimSpace(r.stdout))
	c.refused(c.dir, "clone", "--config=transfer.fsckObjects=true", c.url, "checked")
	c.git(c.dir, "clone", c.url, "unchecked")
	c.git(c.dir, "clone", "--config=fetch.fsckObjects=true", "--single-branch", c.url, "without")
}

// git doesn't run a program of the fetching side's choice over there, and says so. (By a path and over ssh it does.)
func TestUploadPackOption(t *testing.T) {
	c := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{})).scene(t, "xmpp", sceneOptions{})
	c.grow("main", 1)
	ran := filepath.Join(c.dir, "ran")
	for _, args := range [][]string{{"ls-remote", "--upload-pack=touch " + ran, c.url}, {"clone", "--quiet", "--upload-pack=touch " + ran, c.url, "clone"}} {
		mustSay(t, c.alice.gitBoth(c.dir, args...).stderr, "warning: setting remote service path not supported by protocol")
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program of Alice's choice was run")
	}
}
