package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// versionsVariable names folders with a git in them each, as PATH does, that are tested beside the git in PATH (make gits).
const versionsVariable = "GIT_REMOTE_XMPP_TEST_GITS"

// versionScenes are what every client must be able to do with every serving side: of each kind one.
var versionScenes = map[string]pushScene{
	"exchange":     repositoryFormats["sha1"],
	"sha256":       repositoryFormats["sha256"],
	"force":        pushForce["force"],
	"lease":        pushForce["lease-of-a-value"],
	"atomic":       pushAtomic["update-hook"],
	"push-option":  pushOptions["push-option"],
	"shallow-push": repositoryShapes["shallow"],
	"work-tree":    checkedOut["clean"],
	"shallow":      {play: shallowSince, modes: []string{fallback}},
	"partial":      {play: func(c *scene) { partial(c, "blob:none") }, modes: []string{fallback}},
	"protocols":    {play: protocolVersions, modes: []string{fallback}},
}

// versionFallbacks are played over XMPP only.
var versionFallbacks = []string{"sha256-diverged", "dirty", "linked-dirty"}

// Different gits on both sides. The same on both is what a whole run of the tests with another PATH is for.
func TestGitVersions(t *testing.T) {
	given := os.Getenv(versionsVariable)
	if given == "" {
		t.Skip("no other git than the one in PATH: make gits")
	}
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	gits := append([]string{""}, filepath.SplitList(given)...)
	for _, serving := range gits {
		bob := newHome(t, s, "Bob", "bob").with(serving)
		if bob.hasOlder(2, 30) {
			t.Run("serve with "+bob.version(), func(t *testing.T) { servesNot(t, bob.in(t)) })
			continue
		}
		for _, client := range gits {
			alice := newHome(t, s, "Alice", "alice").with(client)
			if client == serving {
				continue
			}
			t.Run(alice.version()+" with "+bob.version(), func(t *testing.T) {
				versionPair(t, newHome(t, s, "Bob", "bob").with(serving), alice.in(t))
			})
		}
	}
}

func versionPair(t *testing.T, bob, alice *home) {
	w := newSiteOf(t, bob, alice)
	t.Run("as-said", func(t *testing.T) { w.play(t, "xmpp", sceneOptions{}, sayVersion) })
	for name, s := range versionScenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.comparePush(t, s.withShortURL())
		})
	}
	for _, name := range versionFallbacks {
		t.Run("fallback-"+name, func(t *testing.T) {
			t.Parallel()
			s := repositoryFallbacks[name]
			w.play(t, "xmpp", s.options, s.play)
		})
	}
}

// servesNot expects that serve refuses to work with a git that is too old, in one line.
func servesNot(t *testing.T, bob *home) {
	t.Helper()
	r := bob.try(bob.newRepo("proj"), "git-remote-xmpp", "serve")
	want := fmt.Sprintf("git-remote-xmpp: git %s is too old to serve repositories with: that takes 2.30 or newer\n", bob.version())
	if r.status != 1 || r.stdout != "" || r.stderr != want {
		t.Errorf("serve: %v\nwant exit status 1 and %q", r, want)
	}
}

// with is the home with the git in a folder, or the one in PATH if that is empty.
func (h *home) with(dir string) *home {
	if dir == "" {
		return h
	}
	other := *h
	other.gitPath = filepath.Join(dir, "git")
	other.env = nil
	for _, kv := range h.env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			kv = "PATH=" + binDir + string(os.PathListSeparator) + dir + string(os.PathListSeparator) + path
		}
		other.env = append(other.env, kv)
	}
	return &other
}

// version is that of the home's git.
func (h *home) version() string {
	h.t.Helper()
	return strings.TrimPrefix(h.git(h.dir, "version"), "git version ")
}

// hasOlder tells whether the home's git is older than a version.
func (h *home) hasOlder(major, minor int) bool {
	h.t.Helper()
	var x, y int
	if _, err := fmt.Sscanf(h.version(), "%d.%d", &x, &y); err != nil {
		h.t.Fatalf("version %s: %v", h.version(), err)
	}
	return x < major || x == major && y < minor
}

// sayVersion makes sure that the gits are the ones that are meant: hooks on both sides say their versions.
func sayVersion(c *scene) {
	c.seed("main")
	dir := c.local()
	c.hook(c.served, "pre-receive", "git version\n")
	c.hook(dir, "pre-push", "git version >&2\n")
	said := c.alice.gitBoth(dir, "push", "origin", "main:new").stderr
	mustSay(c.T, said, "git version "+c.alice.version()+"\n", "remote: git version "+c.bob.version()+" ")
}
