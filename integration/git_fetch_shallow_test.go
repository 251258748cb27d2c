package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// Clones and fetches that leave history out.
func TestGitShallow(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{
		"depth, deepen, unshallow": func(c *scene) { shallowDepth(c, "protocol.version=2") },
		"depth in version 0":       func(c *scene) { shallowDepth(c, "protocol.version=0") },
		"since":                    shallowSince,
		"exclude":                  shallowExclude,
		"fetch into and push from": shallowBothWays,
		"of a shallow repository":  shallowServed,
	})
}

// noteShallow writes down where a clone's history ends.
func (c *scene) noteShallow(dir string) {
	c.Helper()
	content, err := os.ReadFile(filepath.Join(dir, ".git", "shallow"))
	if err != nil && !os.IsNotExist(err) {
		c.Fatal(err)
	}
	lines := strings.Fields(string(content))
	slices.Sort(lines)
	c.note("shallow: %s\n%s", strings.Join(lines, " "), c.alice.git(dir, "log", "--all", "--format=%H %s"))
}

func shallowDepth(c *scene, version string) {
	c.grow("main", 12)
	c.grow("topic", 4)
	c.bob.git(c.served, "tag", "-a", "-m", "old", "old", "main~5")
	clone := filepath.Join(c.dir, "clone")
	c.git(c.dir, "-c", version, "clone", "--depth=2", c.url, clone)
	c.alice.git(clone, "config", "protocol.version", strings.TrimPrefix(version, "protocol.version="))
	c.noteShallow(clone)
	for _, args := range [][]string{
		{"--deepen=2"}, {"--depth=1"}, {"--depth=3"}, {"--deepen=3", "--tags"}, {"--depth=2", "origin", "topic"}, {"--unshallow"}, {"--unshallow"},
	} {
		c.git(clone, append([]string{"fetch"}, args...)...)
		c.noteShallow(clone)
	}
	c.git(c.dir, "-c", version, "clone", "--depth=1", "--no-single-branch", c.url, "all")
	c.noteShallow(filepath.Join(c.dir, "all"))
	c.git(c.dir, "-c", version, "clone", "--depth=1", "--branch=old", "--no-tags", c.url, "tag")
	c.git(c.dir, "-c", version, "clone", "--depth=100", "--branch=topic", c.url, "deep")
	c.git(c.dir, "-c", version, "clone", "--depth=0", c.url, "zero")
}

func shallowSince(c *scene) {
	c.grow("main", 10) // an hour apart from 1,700,000,000 on
	clone := filepath.Join(c.dir, "clone")
	c.git(c.dir, "clone", "--shallow-since=@1700025000", c.url, clone)
	c.noteShallow(clone)
	c.git(clone, "fetch", "--shallow-since=@1700012000")
	c.noteShallow(clone)
	c.git(c.dir, "-c", "protocol.version=0", "clone", "--shallow-since=@1700025000", c.url, "v0")
	c.noteShallow(filepath.Join(c.dir, "v0"))
	c.refused(c.dir, "clone", "--shallow-since=@1900000000", c.url, "nothing")
}

func shallowExclude(c *scene) {
	c.grow("main", 10)
	c.bob.git(c.served, "tag", "v1", "main~3")
	c.bob.git(c.served, "branch", "old", "main~6")
	clone := filepath.Join(c.dir, "clone")
	c.git(c.dir, "clone", "--shallow-exclude=v1", c.url, clone)
	c.noteShallow(clone)
	c.git(clone, "fetch", "--shallow-exclude=old")
	c.noteShallow(clone)
	c.refused(clone, "fetch", "--shallow-exclude=none")
}

func shallowBothWays(c *scene) {
	c.grow("main", 6)
	clone := c.clone("--depth=1")
	c.alice.commit(clone, "hers")
	c.git(clone, "push", "origin", "main", "main:refs/heads/new")
	c.grow("main", 3)
	c.git(clone, "fetch")
	c.noteShallow(clone)
	c.git(clone, "pull", "--ff-only")
	c.alice.commit(clone, "more")
	c.git(clone, "push")
	c.git(clone, "fetch", "--depth=1")
	c.git(clone, "push", "origin", ":new")
	c.noteShallow(clone)
	c.git(clone, "push", "origin", "HEAD:refs/heads/older")
	c.sibling("empty")
	r := c.alice.try(clone, "git", "push", strings.TrimSuffix(c.url, "proj")+"empty", "HEAD:refs/heads/rootless")
	c.note("to a repository without the rest: %s", c.withoutGroup(r.String()))
}

func shallowServed(c *scene) {
	full := c.bob.newRepo(filepath.Join("full", filepath.Base(c.dir)), "--bare")
	c.growIn(full, "main", 6)
	c.become("--depth=3", "file://"+full)
	clone := filepath.Join(c.dir, "clone")
	c.git(c.dir, "clone", c.url, clone)
	c.noteShallow(clone)
	c.git(c.dir, "clone", "--reject-shallow", c.url, "rejected")
	own := c.alice.newRepo(filepath.Join(filepath.Base(c.dir), "own"))
	c.git(own, "fetch", c.url, "main:theirs")
	c.git(own, "fetch", "--update-shallow", c.url, "main:theirs")
	c.noteShallow(own)
	c.git(clone, "fetch", "--unshallow")
	c.noteShallow(clone)
}
