package integration

import (
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// With xmpp.integrate=none no push moves a branch, not even what would be a fast-forward, nor makes one.
func TestIntegrateNone(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		newSite(t, s).play(t, "xmpp", setting("xmpp.integrate", "none"), func(c *scene) {
			c.seed("main")
			dir := c.local()
			theirs := c.value("main")
			c.alice.commit(dir, "ours")
			r := c.git(dir, "push", "origin", "main", "main:new")
			c.expect(r, 0, "main -> "+c.fallbackRef(dir, "main"), "main -> "+c.fallbackRef(dir, "new"))
			c.holds("main", theirs, c.fallbackRef(dir, "main"), c.head(dir, "main"), "refs/heads/new", "", c.fallbackRef(dir, "new"), c.head(dir, "main"))
			theirs = c.bobCommits("main", "theirs")
			r = c.git(dir, "push", "--force", "origin", "main")
			c.expect(r, 0, "remote: main isn't moved by a push there, not even by a forced one", "main -> "+c.fallbackRef(dir, "main"))
			c.holds("main", theirs, c.fallbackRef(dir, "main"), c.head(dir, "main"))
		})
	})
}
