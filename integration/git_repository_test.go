package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// The kinds of repositories and settings that the serving side may have, as by a path.
func TestGitRepository(t *testing.T) {
	w := repositorySite(t)
	for group, scenes := range map[string]map[string]pushScene{
		"format": repositoryFormats, "shape": repositoryShapes, "checked-out": checkedOut, "denies": repositoryDenies, "checks": repositoryChecks,
		"hidden": repositoryHides,
	} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for name, s := range scenes {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					w.comparePush(t, s.withShortURL())
				})
			}
		})
	}
}

func repositorySite(t *testing.T) *site {
	t.Helper()
	return newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
}

// withShortURL is the scene with a URL without ".git", which git leaves out where it names a URL.
func (s pushScene) withShortURL() pushScene {
	play := s.play
	s.play = func(c *scene) {
		c.url = strings.TrimSuffix(c.url, ".git")
		play(c)
	}
	return s
}

// gitAside is git where receive-pack says something on its own standard error, not in the side band: over XMPP that is marked
// as the other side's, too.
func (c *scene) gitAside(dir string, args ...string) {
	c.Helper()
	r := c.alice.try(dir, "git", args...)
	r.stderr = asideText.ReplaceAllString(r.stderr, "$1")
	c.note("$ git %s\n%s", strings.Join(args, " "), r)
}

var asideText = regexp.MustCompile(`(?m)^remote: ((?:error|fatal): .*?) *$`)

// exchange is everyday use: a clone, pushes, and a fetch of what Bob has done.
func exchange(c *scene) {
	c.seed("main", "topic/one")
	c.exchange()
}

// exchange is everyday use of a repository whose main isn't checked out.
func (c *scene) exchange() {
	c.Helper()
	c.git(c.dir, "clone", c.url, "clone")
	dir := filepath.Join(c.dir, "clone")
	c.alice.commit(dir, "more")
	c.alice.git(dir, "tag", "-a", "-m", "one", "v1")
	c.git(dir, "push", "--follow-tags", "origin", "main", "main:new/branch")
	c.bobCommits("main", "answer")
	c.git(dir, "pull", "--quiet")
	c.git(dir, "push", "origin", ":new/branch", "main:refs/other/place")
	c.alice.git(dir, "checkout", "--quiet", "topic/one")
	c.alice.commit(dir, "still more")
	c.git(dir, "push")
	c.git(dir, "fetch", "--prune", "origin", "+refs/*:refs/all/*")
}

// noteTree writes down what is in a work tree.
func (c *scene) noteTree(h *home, dir string) {
	c.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		c.Fatal(err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != ".git" {
			c.noteFile(filepath.Join(dir, e.Name()))
		}
	}
	c.note("%s", h.git(dir, "status", "--porcelain", "--branch"))
}
