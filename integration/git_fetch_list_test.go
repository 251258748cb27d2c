package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// What git ls-remote shows, and the versions of git's protocol.
func TestGitLsRemote(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{
		"options":           lsRemote,
		"of a clone":        lsRemoteOfClone,
		"detached HEAD":     func(c *scene) { oddHead(c, "--detach") },
		"HEAD of no branch": func(c *scene) { oddHead(c, "refs/heads/missing") },
		"protocol versions": protocolVersions,
		"hidden refs":       hiddenRefs,
	})
}

// versions are the versions of git's protocol, as settings.
var versions = []string{"protocol.version=0", "protocol.version=1", "protocol.version=2"}

func lsRemote(c *scene) {
	c.seed("main", "topic", "other/deep")
	for _, name := range []string{"v1.10", "v1.9", "v2.0-rc1"} {
		c.bob.git(c.served, "tag", "-a", "-m", name, name, "main")
	}
	c.bob.git(c.served, "update-ref", "refs/odd/one", "main")
	for _, args := range [][]string{
		{}, {"--symref"}, {"--heads"}, {"--tags"}, {"--heads", "--tags"}, {"--refs"}, {"--refs", "--tags"}, {"--sort=-version:refname"}, {"--sort=version:refname", "--tags", "--refs"},
		{"--quiet"}, {"--exit-code"}, {"--get-url"}, {"--server-option=x"},
	} {
		c.git(c.dir, append(append([]string{"ls-remote"}, args...), c.url)...)
	}
	for _, pattern := range [][]string{{"to*"}, {"main"}, {"deep"}, {"refs/heads/*"}, {"heads/other/*"}, {"v*", "main"}, {"refs/odd/*"}, {"HEAD"}, {"nothing"}} {
		c.git(c.dir, append([]string{"ls-remote", c.url}, pattern...)...)
	}
	c.git(c.dir, "-c", versions[0], "ls-remote", "--symref", "--exit-code", c.url, "v*", "HEAD")
	c.refused(c.dir, "-c", versions[0], "ls-remote", "--server-option=x", c.url) // needs version 2
	c.git(c.dir, "ls-remote", "--heads", "--exit-code", c.url, "nothing")
	c.git(c.dir, "ls-remote", "--symref", c.url, "HEAD")
}

func lsRemoteOfClone(c *scene) {
	c.seed("main", "topic")
	clone := c.clone()
	c.git(clone, "ls-remote")
	c.git(clone, "ls-remote", "--quiet", "--heads")
	c.git(clone, "ls-remote", "--get-url")
	c.git(clone, "ls-remote", "origin", "topic")
	c.alice.git(clone, "config", "url."+strings.TrimSuffix(c.url, "proj")+".insteadOf", "short:")
	c.git(clone, "ls-remote", "short:proj", "main")
	c.git(c.dir, "ls-remote")
	c.git(clone, "ls-remote", "no-such-remote")
}

// oddHead has a HEAD at Bob's that isn't on a branch of his.
func oddHead(c *scene, head string) {
	c.grow("main", 3)
	c.grow("topic", 1)
	if head == "--detach" {
		c.bob.git(c.served, "update-ref", "--no-deref", "HEAD", "main~1")
	} else {
		c.bob.git(c.served, "symbolic-ref", "HEAD", head)
	}
	for i, version := range versions {
		c.git(c.dir, "-c", version, "ls-remote", "--symref", c.url)
		c.git(c.dir, "-c", version, "clone", c.url, fmt.Sprintf("clone%d", i))
	}
	c.git(c.dir, "clone", "--single-branch", c.url, "single")
	c.git(filepath.Join(c.dir, "clone0"), "remote", "set-head", "origin", "-a")
	c.git(filepath.Join(c.dir, "clone0"), "remote", "show", "origin")
	c.git(filepath.Join(c.dir, "clone0"), "fetch", "origin", "HEAD")
}

// protocolVersions sees to it that the version that Alice's git is set to is the one that is spoken.
func protocolVersions(c *scene) {
	c.grow("main", 3)
	for i, version := range versions {
		clone := fmt.Sprintf("clone%d", i)
		c.traced(c.dir, "-c", version, "ls-remote", c.url)
		c.traced(c.dir, "-c", version, "clone", c.url, clone)
		c.bob.git(c.served, "update-ref", "refs/heads/"+clone, "main~1")
		c.traced(filepath.Join(c.dir, clone), "-c", version, "fetch")
		c.traced(filepath.Join(c.dir, clone), "-c", version, "fetch", "--depth=1", "origin", "main")
	}
}

// traced runs git and writes down what it says and the first packets that it gets.
func (c *scene) traced(dir string, args ...string) {
	c.Helper()
	cmd := c.alice.command(dir, "git", args...)
	trace := filepath.Join(c.TempDir(), "trace")
	cmd.Env = append(cmd.Env, "GIT_TRACE_PACKET="+trace)
	c.note("$ git %s\n%s", strings.Join(args, " "), run(c, cmd))
	for _, line := range packets(c, trace) {
		here := !strings.HasPrefix(line, "upload-pack") // by a path the other side is traced, too
		if here && (strings.Contains(line, "version ") || strings.Contains(line, "command=")) {
			c.note("%s", line)
		}
	}
}

func hiddenRefs(c *scene) {
	c.grow("main", 2)
	c.bob.git(c.served, "update-ref", "refs/heads/secret/one", "main")
	c.bob.git(c.served, "config", "transfer.hideRefs", "refs/heads/secret")
	for _, version := range versions {
		c.git(c.dir, "-c", version, "ls-remote", c.url)
		c.git(c.dir, "-c", version, "ls-remote", c.url, "secret/*")
	}
	c.clone()
}
