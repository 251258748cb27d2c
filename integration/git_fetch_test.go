package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// What git fetch brings, and what it says about it.
func TestGitFetch(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{
		"new, moved, forced and nothing new": fetchNew,
		"tags":                               fetchTags,
		"prune":                              fetchPrune,
		"refspecs and object ids":            fetchRefspecs,
		"FETCH_HEAD and upstream":            fetchHead,
		"refetch":                            fetchRefetch,
		"negotiate only":                     fetchNegotiateOnly,
	})
}

func fetchNew(c *scene) {
	c.grow("main", 3)
	clone := c.clone()
	c.git(clone, "fetch")
	c.git(clone, "fetch", "--verbose")
	c.grow("main", 2)
	c.grow("topic", 2)
	c.git(clone, "fetch", "--dry-run")
	c.note("%s", c.alice.git(clone, "for-each-ref"))
	c.git(clone, "fetch", "--atomic")
	c.bob.git(c.served, "update-ref", "refs/heads/topic", "main")
	c.git(clone, "fetch", "origin", "refs/heads/topic:refs/remotes/origin/topic")
	c.git(clone, "fetch", "--quiet", "--force")
	c.bob.git(c.served, "update-ref", "refs/heads/main", "main~1")
	c.git(clone, "fetch", "--keep")
	c.git(clone, "fetch", "--no-write-fetch-head", "--server-option=anything")
	c.grow("main", 2)
	c.git(clone, "fetch", "--prefetch")
	c.git(clone, "fetch", "--porcelain") // git has it since 2.41
}

func fetchTags(c *scene) {
	c.grow("main", 3)
	clone := c.clone("--no-tags")
	c.bob.git(c.served, "tag", "light", "main~1")
	c.bob.git(c.served, "tag", "-a", "-m", "heavy", "heavy", "main~1")
	c.bob.git(c.served, "tag", "-a", "-m", "of a tag", "outer", "heavy")
	c.bob.git(c.served, "tag", "blob", "main:shared.txt")
	c.bob.git(c.served, "tag", "-a", "-m", "of a blob", "heavy-blob", "main:shared.txt")
	c.bob.git(c.served, "tag", "tree", "main^{tree}")
	c.git(clone, "fetch")
	c.git(clone, "config", "--unset", "remote.origin.tagOpt")
	c.grow("main", 1)
	c.git(clone, "fetch", "--no-tags")
	c.note("%s", c.alice.git(clone, "for-each-ref"))
	c.git(clone, "fetch", "origin", "tag", "outer")
	c.git(clone, "fetch") // follows tags of what it has
	c.git(clone, "fetch", "--tags")
	c.git(clone, "cat-file", "-p", "heavy-blob")
	c.bob.git(c.served, "tag", "--force", "light", "main")
	c.git(clone, "fetch", "--tags")
	c.git(clone, "fetch", "--tags", "--force")
}

func fetchPrune(c *scene) {
	c.grow("main", 2)
	for _, name := range []string{"heads/gone", "heads/going/deep", "tags/gone", "heads/clash"} {
		c.bob.git(c.served, "update-ref", "refs/"+name, "main")
	}
	clone := c.clone()
	c.bob.git(c.served, "update-ref", "-d", "refs/heads/gone")
	c.bob.git(c.served, "update-ref", "-d", "refs/tags/gone")
	c.git(clone, "fetch")
	c.git(clone, "fetch", "--prune", "--dry-run")
	c.git(clone, "fetch", "--prune")
	c.git(clone, "fetch", "--prune", "--prune-tags")
	c.bob.git(c.served, "update-ref", "-d", "refs/heads/clash")
	c.bob.git(c.served, "update-ref", "refs/heads/clash/deep", "main")
	c.git(clone, "fetch")
	c.git(clone, "-c", "fetch.prune=true", "fetch")
	c.bob.git(c.served, "update-ref", "-d", "refs/heads/going/deep")
	c.git(clone, "remote", "prune", "origin")
}

func fetchRefspecs(c *scene) {
	c.grow("main", 3)
	c.grow("topic", 2)
	dir := c.alice.newRepo(filepath.Join(filepath.Base(c.dir), "own"))
	c.git(dir, "fetch", c.url, "topic")
	c.git(dir, "fetch", c.url, "refs/heads/*:refs/far/*", "^refs/heads/topic")
	c.git(dir, "fetch", c.url, "HEAD:refs/heads/their-head")
	c.git(dir, "fetch", c.url, "topic:main")
	c.git(dir, "fetch", "--update-head-ok", c.url, "+topic:main")
	c.git(dir, "fetch", "--refmap=", c.url, "main")
	byID := c.bob.git(c.served, "rev-parse", "topic")
	inside := c.bob.git(c.served, "rev-parse", "topic~1")
	c.git(dir, "fetch", c.url, byID+":refs/by/tip")
	for _, version := range []string{"0", "2"} { // version 2 serves any object
		c.git(dir, "-c", "protocol.version="+version, "fetch", c.url, inside+":refs/by/reachable-"+version)
	}
	hidden := c.bob.git(c.served, "commit-tree", "-m", "nowhere", "main^{tree}")
	c.bob.git(c.served, "config", "uploadpack.allowReachableSHA1InWant", "true")
	c.git(dir, "-c", "protocol.version=0", "fetch", c.url, inside+":refs/by/reachable")
	c.refused(dir, "-c", "protocol.version=0", "fetch", c.url, hidden+":refs/by/refused")
	c.bob.git(c.served, "config", "uploadpack.allowAnySHA1InWant", "true")
	c.git(dir, "-c", "protocol.version=0", "fetch", c.url, hidden+":refs/by/any")
	cmd := c.alice.command(dir, "git", "fetch", "--stdin", c.url)
	cmd.Stdin = strings.NewReader("refs/heads/main:refs/listed/main\nrefs/heads/topic:refs/listed/topic\n")
	c.note("fetch --stdin: %s", run(c, cmd))
}

func fetchHead(c *scene) {
	c.grow("main", 2)
	c.grow("topic", 2)
	dir := c.alice.newRepo(filepath.Join(filepath.Base(c.dir), "own"))
	c.git(dir, "remote", "add", "-f", "-t", "main", "far", c.url)
	c.git(dir, "fetch", "far", "topic")
	c.noteFile(dir, ".git", "FETCH_HEAD")
	c.git(dir, "fetch", "--append", "far", "main")
	c.noteFile(dir, ".git", "FETCH_HEAD")
	c.git(dir, "fetch", "--set-upstream", "far", "main")
	c.note("%s", c.alice.git(dir, "config", "--get-regexp", "^branch"))
	c.git(dir, "fetch", "--dry-run", "--no-write-fetch-head")
	c.git(dir, "fmt-merge-msg", "--file", filepath.Join(dir, ".git", "FETCH_HEAD"))
}

func fetchRefetch(c *scene) {
	c.grow("main", 5)
	clone := c.clone()
	packs := func() int {
		found, err := filepath.Glob(filepath.Join(clone, ".git", "objects", "pack", "*.pack"))
		if err != nil {
			c.Fatal(err)
		}
		return len(found)
	}
	c.git(clone, "fetch", "--refetch", "--no-auto-maintenance")
	c.note("%d packs", packs())
	c.git(clone, "-c", "fetch.unpackLimit=1", "fetch", "--refetch")
	c.note("%d packs", packs())
}

func fetchNegotiateOnly(c *scene) {
	c.grow("main", 10)
	clone := c.clone()
	c.alice.commit(clone, "hers")
	c.grow("main", 1)
	c.git(clone, "fetch", "--negotiate-only", "--negotiation-tip=main", "origin")
	c.git(clone, "fetch", "--negotiate-only", "--negotiation-tip=main~3", "origin")
	c.git(clone, "fetch", "--negotiate-only", "origin")
	c.refused(clone, "-c", "protocol.version=0", "fetch", "--negotiate-only", "--negotiation-tip=main", "origin")
	c.git(clone, "fetch", "--negotiation-tip=origin/main", "origin")
	for _, algorithm := range []string{"skipping", "noop"} {
		c.grow("main", 1)
		c.git(clone, "-c", "fetch.negotiationAlgorithm="+algorithm, "fetch")
	}
}
