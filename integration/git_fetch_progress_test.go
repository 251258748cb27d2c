package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// git's own meter, and silence.
func TestGitFetchProgress(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{"progress": fetchProgress})
}

// speedText is how much came and how fast, which git leaves out of a meter that took no time.
var speedText = regexp.MustCompile(`, [0-9.]+ ([KM]i)?B(ytes)?(/s)?( \| [0-9.]+ [KMG]i?B/s)?`)

// metered runs git as Alice and writes down the last state of each meter. Those of the two sides come in any order.
func (c *scene) metered(dir string, args ...string) {
	c.Helper()
	r := c.alice.try(dir, "git", args...)
	lines := strings.Split(speedText.ReplaceAllString(c.plain(r.stderr), ""), "\n")
	slices.Sort(lines)
	c.note("$ git %s\nexit status %d\nstdout: %s\nstderr, sorted: %s", strings.Join(args, " "), r.status, r.stdout, strings.Join(lines, "\n"))
	if shown := strings.Contains(r.stderr, "remote: Counting objects: 100% ("); shown != slices.Contains(args, "--progress") {
		c.Errorf("git %v: shows a meter: %v\n%s", args, shown, r.stderr)
	}
}

func fetchProgress(c *scene) {
	c.grow("main", 20)
	c.bob.git(c.served, "config", "pack.threads", "1") // or it finds other deltas each time
	for i, args := range [][]string{{"--progress"}, {"--quiet"}, {"--verbose"}, {"--verbose", "--progress"}} {
		clone := filepath.Join(c.dir, []string{"meter", "quiet", "verbose", "both"}[i])
		c.metered(c.dir, slices.Concat([]string{"clone"}, args, []string{c.url, clone})...)
		c.grow("main", 3)
		c.metered(clone, append([]string{"fetch"}, args...)...)
	}
	clone := filepath.Join(c.dir, "quiet")
	c.grow("main", 1)
	r := c.alice.try(clone, "git", "pull", "--quiet")
	c.note("pull --quiet: %s", r)
	if r.stdout+r.stderr != "" {
		c.Errorf("a quiet pull says: %v", r)
	}
}

// The other side's meter is shown while it runs, not afterwards.
func TestProgressIsShownAtOnce(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	gate, packer := filepath.Join(w.bob.dir, "gate"), filepath.Join(w.bob.dir, "packer")
	script := "#!/bin/sh\necho half way >&2\nwhile ! [ -e " + gate + " ]; do sleep 0.01; done\nexec \"$@\"\n"
	if err := os.WriteFile(packer, []byte(script), 0o700); err != nil { //nolint:gosec // it is executable
		t.Fatal(err)
	}
	w.bob.git(w.bob.dir, "config", "--global", "uploadpack.packObjectsHook", packer)
	c := w.scene(t, "xmpp", sceneOptions{})
	c.grow("main", 1)
	clone := c.alice.command(c.dir, "git", "clone", "--progress", c.url, "clone")
	lines := startLines(t, clone)
	awaitLine(t, lines, "remote: half way")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitLine(t, lines, "Receiving objects: 100%")
	if err := clone.Wait(); err != nil {
		t.Error(err)
	}
}
