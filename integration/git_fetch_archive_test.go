package integration

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// git archive of a repository that is served.
func TestGitArchive(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{
		"formats":  archiveFormats,
		"refusals": archiveRefusals,
	})
}

func archiveFormats(c *scene) {
	c.grow("main", 4)
	c.grow("topic", 1)
	c.bob.git(c.served, "tag", "-a", "-m", "one", "v1", "main~1")
	for _, args := range [][]string{
		{"main"}, {"--format=zip", "main"}, {"--format=tar.gz", "main"}, {"--prefix=proj-1/", "v1"}, {"--format=zip", "-0", "--prefix=x/", "topic", "in-topic"},
		{"main", "in-main/1.txt", "shared.txt"}, {"HEAD"},
	} {
		out := filepath.Join(c.TempDir(), "out")
		c.note("archive %v: %s", args, c.alice.try(c.dir, "git", append([]string{"archive", "--remote=" + c.url, "--output=" + out}, args...)...))
		content, err := os.ReadFile(out)
		if err != nil {
			c.Fatal(err)
		}
		c.note("%d bytes, %x", len(content), sha256.Sum256(content))
	}
	c.note("a tree, of now: %d bytes", len(c.alice.git(c.dir, "archive", "--remote="+c.url, "main:in-main")))
	c.git(c.dir, "archive", "--remote="+c.url, "--list")
	r := c.alice.try(c.dir, "git", "archive", "--remote="+c.url, "main")
	c.note("to standard output: %d, %d bytes, %x", r.status, len(r.stdout), sha256.Sum256([]byte(r.stdout)))
	clone := c.clone()
	c.note("by a remote's name: %d bytes", len(c.alice.git(clone, "archive", "--remote=origin", "main")))
}

func archiveRefusals(c *scene) {
	c.grow("main", 4)
	c.refused(c.dir, "archive", "--remote="+c.url, "none")
	c.refused(c.dir, "archive", "--remote="+c.url, "main", "no-such-file")
	c.refused(c.dir, "archive", "--remote="+c.url, "--format=rar", "main")
	c.refused(c.dir, "archive", "--remote="+c.url, c.bob.git(c.served, "rev-parse", "main~2"))
	c.bob.git(c.served, "config", "uploadarchive.allowUnreachable", "true")
	c.note("unreachable, allowed: %d", len(c.alice.git(c.dir, "archive", "--remote="+c.url, c.bob.git(c.served, "rev-parse", "main~2"))))
	// By a path it is the archiver that says so, to git's exit status 1; over XMPP nothing was started, and it's 128.
	if r := c.alice.try(c.dir, "git", "archive", "--remote="+c.url+"-not", "main"); r.status == 0 || r.stdout != "" {
		c.Errorf("an archive of no repository: %v", r)
	}
}
