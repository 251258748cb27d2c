package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// plays are scenes by name.
type plays map[string]func(c *scene)

// fetchScenes plays scenes of the fetching side on a site of their own, by a path and over XMPP.
func fetchScenes(t *testing.T, server string, p plays) {
	t.Helper()
	w := newSite(t, testserver.New(t, server, testserver.Options{}))
	for name, play := range p {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.fetchScene(t, play)
		})
	}
}

// fetchScene plays one scene by a path and over XMPP.
func (w *site) fetchScene(t *testing.T, play func(c *scene)) {
	t.Helper()
	w.compare(t, sceneOptions{}, func(c *scene) {
		c.url = strings.TrimSuffix(c.url, ".git") // git leaves it out where it names a URL
		play(c)
	})
}

// grow adds commits to a branch of Bob's repository, each an hour younger than the one before. Each adds a file of its own, in
// a folder, and changes the file that all share.
func (c *scene) grow(branch string, count int) { c.growIn(c.served, branch, count) }

func (c *scene) growIn(served, branch string, count int) {
	c.Helper()
	ref := "refs/heads/" + branch
	have := 0
	r := c.bob.try(served, "git", "rev-list", "--count", ref, "--")
	if r.status == 0 {
		have, _ = strconv.Atoi(strings.TrimSpace(r.stdout))
	}
	var b strings.Builder
	for i := have; i < have+count; i++ {
		name := fmt.Sprintf("%s %d\n", branch, i)
		fmt.Fprintf(&b, "commit %s\ncommitter Bob <bob@example.org> %d +0000\ndata %d\n%s", ref, 1_700_000_000+3600*i, len(name), name)
		if i == have && have > 0 {
			fmt.Fprintf(&b, "from %s^0\n", ref)
		}
		fmt.Fprintf(&b, "M 100644 inline in-%s/%d.txt\ndata %d\n%s", branch, i, len(name), name)
		fmt.Fprintf(&b, "M 100644 inline shared.txt\ndata %d\nshared %s\n", len("shared ")+len(name), name)
	}
	c.bobFeeds(served, b.String(), "fast-import", "--quiet")
}

// bobFeeds runs git in a repository of Bob's with an input.
func (c *scene) bobFeeds(dir, input string, args ...string) {
	c.Helper()
	cmd := c.bob.command(dir, "git", args...)
	cmd.Stdin = strings.NewReader(input)
	if r := run(c, cmd); r.status != 0 {
		c.Fatalf("git %v: %v", args, r)
	}
}

// become makes Bob's repository a mirror clone of another one. For a peer it is the same repository as before.
func (c *scene) become(args ...string) {
	c.Helper()
	made := filepath.Join(c.TempDir(), "made")
	c.bob.git(c.bob.dir, slices.Concat([]string{"clone", "--quiet", "--mirror"}, args, []string{made})...)
	if uuid := c.bob.try(c.served, "git", "config", "xmpp.uuid").stdout; uuid != "" {
		c.bob.git(made, "config", "xmpp.uuid", strings.TrimSpace(uuid))
	}
	for _, move := range [][2]string{{c.served, made + ".old"}, {made, c.served}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			c.Fatal(err)
		}
	}
}

// refused runs git as Alice for a request that upload-pack refuses, or that git itself gives up. What upload-pack says on its own
// standard error is marked as the other side's over XMPP, and comes before or after what git here says; and who
// still sees the other hang up is chance.
func (c *scene) refused(dir string, args ...string) {
	c.Helper()
	r := c.alice.try(dir, "git", args...)
	lines := strings.Split(strings.NewReplacer("remote: fatal: ", "fatal: ", "remote: error: ", "error: ").Replace(c.plain(r.stderr)), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "fatal: the remote end hung up unexpectedly" })
	slices.Sort(lines)
	c.note("$ git %s\nexit status %d\nstdout: %s\nstderr, sorted: %s", strings.Join(args, " "), r.status, r.stdout, strings.Join(lines, "\n"))
}

// packets are the packets of a GIT_TRACE_PACKET, without time and place.
func packets(c *scene, file string) []string {
	c.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		c.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		_, packet, found := strings.Cut(line, " packet:")
		if !found {
			c.Fatalf("no packet: %q", line)
		}
		lines = append(lines, strings.TrimSpace(packet))
	}
	return lines
}
