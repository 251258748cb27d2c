package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// manyBranches is how many there are in TestGitManyRefs.
const manyBranches = 10_000

// Ten thousand branches are listed, cloned and fetched.
func TestGitManyRefs(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	var many string // made once: it takes git seconds
	w.fetchScene(t, func(c *scene) {
		if many == "" {
			many = c.bob.newRepo("many.git", "--bare")
			c.growIn(many, "main", 100)
			c.moveBranches(many, 1)
			c.bob.git(many, "pack-refs", "--all")
		}
		c.become(many)
		manyRefs(c)
	})
}

// moveBranches makes or moves every nth of the branches.
func (c *scene) moveBranches(dir string, nth int) {
	c.Helper()
	commits := strings.Fields(c.bob.git(dir, "rev-list", "main"))
	var b strings.Builder
	for i := 0; i < manyBranches; i += nth {
		fmt.Fprintf(&b, "update refs/heads/team-%d/branch-%05d %s\n", i%7, i, commits[(i+nth)%len(commits)])
	}
	c.bobFeeds(dir, b.String(), "update-ref", "--stdin")
}

func manyRefs(c *scene) {
	timed := func(dir string, args ...string) {
		c.Helper()
		began := time.Now()
		c.git(dir, args...)
		c.Logf("%s: git %s: %v", c.over, strings.Join(args, " "), time.Since(began).Round(time.Millisecond))
	}
	clone := filepath.Join(c.dir, "clone")
	timed(c.dir, "ls-remote", c.url)
	timed(c.dir, "-c", "protocol.version=0", "ls-remote", c.url)
	timed(c.dir, "ls-remote", c.url, "refs/heads/team-3/*")
	timed(c.dir, "clone", "--quiet", "--bare", c.url, clone)
	timed(clone, "fetch", "--quiet", c.url, "refs/heads/*:refs/heads/*")
	c.moveBranches(c.served, 20)
	timed(clone, "fetch", "--force", c.url, "refs/heads/*:refs/heads/*")
}
