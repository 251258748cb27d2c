package integration

import "strings"

// fallbackRef is where a push of Alice's goes that doesn't go to a branch.
func (c *scene) fallbackRef(dir, branch string) string {
	c.Helper()
	return "refs/synced/" + c.alice.git(dir, "config", "xmpp.uuid") + "/" + branch
}

// value is a ref's value in Bob's repository, "" if it doesn't exist.
func (c *scene) value(ref string) string {
	c.Helper()
	return strings.TrimSpace(c.bob.try(c.served, "git", "rev-parse", "--verify", "--quiet", ref).stdout)
}

// holds fails the test unless Bob's refs have these values; "" is for one that isn't there. They are given as name and value in turn.
func (c *scene) holds(refs ...string) {
	c.Helper()
	for i := 0; i < len(refs); i += 2 {
		if got := c.value(refs[i]); got != refs[i+1] {
			c.Errorf("%s is %q, want %q", refs[i], got, refs[i+1])
		}
	}
}
