package integration

import (
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// The fetching side of git, as by a path.
func TestGitFetch(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	for name, play := range map[string]func(c *scene){
		"ls-remote": lsRemote,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.compare(t, sceneOptions{}, play)
		})
	}
}

func lsRemote(c *scene) {
	c.seed("main", "topic", "other/deep")
	c.git(c.dir, "ls-remote", c.url)
	c.git(c.dir, "ls-remote", "--symref", c.url)
	c.git(c.dir, "ls-remote", "--heads", c.url, "to*")
	c.git(c.dir, "ls-remote", "--exit-code", c.url, "nothing")
}
