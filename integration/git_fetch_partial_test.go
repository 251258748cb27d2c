package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// Clones without all objects, which git fetches when it needs them.
func TestGitPartialClone(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{
		"blob none":  func(c *scene) { partial(c, "blob:none") },
		"tree 0":     func(c *scene) { partial(c, "tree:0") },
		"blob limit": partialLimit,
		"version 0":  partialVersion0,
		"refetch":    partialRefetch,
		"sparse":     partialSparse,
		"push from":  partialPush,
		"refused":    partialRefused,
	})
}

// allowFilters has Bob's repository serve parts.
func (c *scene) allowFilters() {
	c.Helper()
	c.bob.git(c.served, "config", "uploadpack.allowFilter", "true")
}

// fetchRequest is the packet that each fetch has one of, in version 2 and before.
var fetchRequest = regexp.MustCompile(`^(fetch|clone)> (command=fetch|want [0-9a-f]+ .*\bagent=)`)

// lazily runs git as Alice in a partial clone and writes down how often it fetched. Over XMPP she never logs in more often than that.
func (c *scene) lazily(dir string, args ...string) {
	c.Helper()
	cmd := c.alice.command(dir, "git", args...)
	traces := c.TempDir()
	git, xmpp := filepath.Join(traces, "git"), filepath.Join(traces, "xmpp")
	cmd.Env = append(cmd.Env, "GIT_TRACE_PACKET="+git, "GIT_XMPP_TRACE="+xmpp)
	r := run(c, cmd)
	fetches := 0
	if _, err := os.Stat(git); err == nil {
		for _, line := range packets(c, git) {
			if fetchRequest.MatchString(line) {
				fetches++
			}
		}
	}
	c.note("$ git %s\n%s\n%d fetches", strings.Join(args, " "), r, fetches)
	if c.over != "xmpp" {
		return
	}
	trace, err := os.ReadFile(xmpp)
	if err != nil && !os.IsNotExist(err) {
		c.Fatal(err)
	}
	logins := strings.Count(string(trace), `msg="logged in"`)
	c.Logf("git %s: %d fetches, %d logins", strings.Join(args, " "), fetches, logins)
	if logins > fetches {
		c.Errorf("git %s: %d logins for %d fetches", strings.Join(args, " "), logins, fetches)
	}
}

// missing writes down how many objects a clone lacks.
func (c *scene) missing(dir string) {
	c.Helper()
	listed := c.alice.git(dir, "rev-list", "--objects", "--all", "--missing=print")
	c.note("%d missing", strings.Count("\n"+listed, "\n?"))
}

func partial(c *scene, filter string) {
	c.allowFilters()
	c.grow("main", 8)
	clone := filepath.Join(c.dir, "clone")
	c.lazily(c.dir, "clone", "--no-checkout", "--filter="+filter, c.url, clone)
	c.note("%s", c.alice.git(clone, "config", "--get-regexp", `^remote\.origin\.(promisor|partialclonefilter)`))
	c.missing(clone)
	c.lazily(clone, "checkout")
	c.lazily(clone, "checkout", "--detach", "HEAD~4")
	c.lazily(clone, "cat-file", "-p", "HEAD~2:shared.txt")
	c.lazily(clone, "cat-file", "-p", "HEAD~2:shared.txt")
	c.lazily(clone, "log", "-p", "--format=%s", "-2", "--", "shared.txt")
	c.lazily(clone, "log", "-p", "--format=%s", "main", "--")
	c.lazily(clone, "diff", "main~1", "main", "--")
	c.grow("main", 2)
	c.lazily(clone, "fetch")
	c.missing(clone)
	c.lazily(clone, "log", "-p", "--format=%s", "main..origin/main", "--")
	c.lazily(clone, "rev-list", "--objects", "--all", "--no-object-names")
	c.missing(clone)
}

func partialLimit(c *scene) {
	c.allowFilters()
	c.grow("main", 4)
	big := c.bob.newRepo(filepath.Join("work", filepath.Base(c.dir)))
	if err := os.WriteFile(filepath.Join(big, "big"), []byte(strings.Repeat("much\n", 1000)), 0o600); err != nil {
		c.Fatal(err)
	}
	c.bob.commit(big, "small")
	c.bob.git(big, "push", "--quiet", c.served, "HEAD:refs/heads/big")
	c.git(c.dir, "clone", "--no-checkout", "--filter=blob:limit=1k", "--branch=big", c.url, "limit")
	c.missing(filepath.Join(c.dir, "limit"))
	c.lazily(filepath.Join(c.dir, "limit"), "checkout")
	c.git(c.dir, "clone", "--no-checkout", "--filter=object:type=commit", c.url, "commits")
	c.missing(filepath.Join(c.dir, "commits"))
	c.git(c.dir, "clone", "--no-checkout", "--filter=combine:blob:none+tree:1", c.url, "both")
	c.missing(filepath.Join(c.dir, "both"))
	c.git(c.dir, "clone", "--bare", "--depth=2", "--filter=blob:none", c.url, "shallow")
	c.missing(filepath.Join(c.dir, "shallow"))
	c.git(c.dir, "clone", "--filter=nonsense", c.url, "none")
}

func partialVersion0(c *scene) {
	c.allowFilters()
	c.bob.git(c.served, "config", "uploadpack.allowAnySHA1InWant", "true")
	c.grow("main", 5)
	clone := filepath.Join(c.dir, "clone")
	c.git(c.dir, "-c", "protocol.version=0", "clone", "--no-checkout", "--filter=blob:none", c.url, clone)
	c.alice.git(clone, "config", "protocol.version", "0")
	c.missing(clone)
	c.lazily(clone, "checkout")
	c.lazily(clone, "log", "-p", "--format=%s")
}

func partialRefetch(c *scene) {
	c.allowFilters()
	c.grow("main", 5)
	clone := c.clone("--filter=blob:none")
	c.missing(clone)
	c.git(clone, "fetch", "--refetch", "--filter=tree:0", "--no-auto-maintenance")
	c.missing(clone)
	c.git(clone, "fetch", "--refetch", "--no-filter", "--no-auto-maintenance")
	c.missing(clone)
	full := filepath.Join(c.dir, "full")
	c.alice.git(c.dir, "clone", "--quiet", c.url, full)
	c.grow("main", 2)
	c.git(full, "fetch", "--filter=blob:none", "origin")
	c.missing(full)
	c.lazily(full, "checkout", "--detach", "origin/main")
}

func partialSparse(c *scene) {
	c.allowFilters()
	c.grow("main", 3)
	c.growIn(c.served, "other", 2)
	work := c.TempDir()
	c.bob.git(work, "clone", "--quiet", c.served, ".")
	c.bob.git(work, "merge", "--quiet", "--allow-unrelated-histories", "--strategy-option=ours", "--message=both", "origin/other")
	c.bob.git(work, "push", "--quiet", "origin", "main")
	clone := filepath.Join(c.dir, "clone")
	c.lazily(c.dir, "clone", "--sparse", "--filter=blob:none", c.url, clone)
	c.missing(clone)
	c.lazily(clone, "sparse-checkout", "add", "in-other")
	c.git(clone, "sparse-checkout", "list")
	c.git(clone, "ls-files", "-t")
	c.missing(clone)
}

func partialPush(c *scene) {
	c.allowFilters()
	c.grow("main", 5)
	clone := c.clone("--filter=blob:none")
	c.alice.commit(clone, "hers")
	c.git(clone, "push")
	c.git(clone, "push", "origin", "main~3:refs/heads/older")
	c.missing(clone)
}

func partialRefused(c *scene) {
	c.grow("main", 3)
	c.git(c.dir, "clone", "--filter=blob:none", c.url, "whole") // warns, and is whole
	c.missing(filepath.Join(c.dir, "whole"))
	c.allowFilters()
	c.bob.git(c.served, "config", "uploadpackfilter.tree.allow", "false")
	c.refused(c.dir, "clone", "--filter=tree:0", c.url, "refused")
	c.git(c.dir, "clone", "--no-checkout", "--filter=blob:none", c.url, "partial")
	c.bob.git(c.served, "config", "uploadpack.allowFilter", "false")
	c.lazily(filepath.Join(c.dir, "partial"), "checkout")
}
