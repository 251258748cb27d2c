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
	"exchange":     {play: exchange},
	"sha256":       {play: sha256Exchange, options: sceneOptions{init: []string{"--object-format=sha256"}}},
	"force":        {play: forceMain},
	"lease":        {play: leaseOfValue},
	"atomic":       {play: atomicUpdateHook},
	"push-option":  {play: optionPushOption, options: setting("receive.advertisePushOptions", "true")},
	"shallow-push": {play: shallowPushedRoots},
	"work-tree":    {play: treeClean, options: updateInstead},
	"shallow":      {play: shallowSince, modes: []string{fallback}},
	"partial":      {play: func(c *scene) { partial(c, "blob:none") }, modes: []string{fallback}},
	"protocols":    {play: protocolVersions, modes: []string{fallback}},
}

// versionFallbacks are played over XMPP only.
var versionFallbacks = map[string]pushScene{
	"diverged":     {play: fallbackDivergedRepository, options: sceneOptions{init: []string{"--object-format=sha256"}}},
	"dirty":        {play: fallbackDirty, options: noBare},
	"linked-dirty": {play: fallbackLinkedDirty, options: noBare},
	"as-said":      {play: sayVersion},
}

// Different gits on both sides. The same on both is what a whole run of the tests with another PATH is for.
func TestGitVersions(t *testing.T) {
	given := os.Getenv(versionsVariable)
	if given == "" {
		t.Skip("no other git than the one in PATH: make gits")
	}
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	gits := append([]string{""}, filepath.SplitList(given)...)
	for _, serving := range gits {
		for _, client := range gits {
			if client == serving {
				continue
			}
			bob, alice := newHome(t, s, "Bob", "bob").with(serving), newHome(t, s, "Alice", "alice").with(client)
			t.Run(alice.version()+" with "+bob.version(), func(t *testing.T) { versionPair(t, bob.in(t), alice.in(t)) })
		}
	}
}

func versionPair(t *testing.T, bob, alice *home) {
	bob.roomy()
	w := newSiteOf(t, bob, alice)
	for name, s := range versionScenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.comparePush(t, s.withShortURL())
		})
	}
	for name, s := range versionFallbacks {
		t.Run("fallback-"+name, func(t *testing.T) {
			t.Parallel()
			w.play(t, "xmpp", s.options, s.play)
		})
	}
}

// Serve refuses to work with a git that is too old, in one line. No such git can be had: one that says so stands in.
func TestTooOldGit(t *testing.T) {
	bob := newHome(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "Bob", "bob")
	repository, bin := bob.newRepo("proj"), t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *version*) echo git version 2.29.3;; *) PATH='%s' exec git \"$@\";; esac\n", os.Getenv("PATH"))
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o700); err != nil { //nolint:gosec // a program is executable
		t.Fatal(err)
	}
	r := bob.with(bin).try(repository, "git-remote-xmpp", "serve")
	const want = "git-remote-xmpp: git 2.29.3 is too old to serve repositories with: that takes 2.30 or newer\n"
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

// sayVersion makes sure that the gits are the ones that are meant: hooks on both sides say their versions.
func sayVersion(c *scene) {
	c.seed("main")
	dir := c.local()
	c.hook(c.served, "pre-receive", "git version\n")
	c.hook(dir, "pre-push", "git version >&2\n")
	said := c.alice.gitBoth(dir, "push", "origin", "main:new").stderr
	mustSay(c.T, said, "git version "+c.alice.version()+"\n", "remote: git version "+c.bob.version()+" ")
}
