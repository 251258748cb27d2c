package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A site is a folder of Bob's whose repositories are all served, and Alice, who uses them. Scenes share it.
type site struct {
	bob, alice *home
	base       string
	count      atomic.Int32
	key        string // Alice's
}

// newSite makes a site on a server. Alice's key is known at Bob's from the start; every scene gives it access to its own repository.
func newSite(t *testing.T, s *testserver.Server) *site {
	t.Helper()
	bob := newHome(t, s, "Bob", "bob")
	bob.roomy()
	return newSiteOf(t, bob, newHome(t, s, "Alice", "alice"))
}

// roomy has a home serve so many at once that no scene waits for another one's.
func (h *home) roomy() {
	h.t.Helper()
	for _, most := range []string{"xmpp.maxPushes", "xmpp.maxFetches"} {
		h.git(h.dir, "config", "--global", most, "32")
	}
}

// newSiteOf makes a site of two homes.
func newSiteOf(t *testing.T, bob, alice *home) *site {
	t.Helper()
	w := &site{bob: bob, alice: alice}
	w.base = filepath.Join(w.bob.dir, "base")
	first := w.bob.newRepo("base/first.git", "--bare")
	w.bob.serve(w.bob.dir, "--base-path", w.base, "--export-all")
	w.alice.git(w.alice.dir, "ls-remote", w.bob.xmpp(first, "invite", "--label", "Alice"))
	w.key = w.alice.key()
	return w
}

// key is the fingerprint of a home's installation.
func (h *home) key() string {
	h.t.Helper()
	first, _, _ := strings.Cut(h.xmpp(h.dir, "peers"), "\n")
	return strings.Fields(strings.TrimPrefix(first, "this installation:"))[0]
}

// in is the home, for a subtest.
func (h *home) in(t testing.TB) *home {
	other := *h
	other.t = t
	return &other
}

// A scene is one repository of Bob's and what Alice does with it through a URL. What it does is written down, so that
// two runs, one by a path and one over XMPP, can be compared.
type scene struct {
	*testing.T
	bob, alice *home
	served     string // Bob's repository
	url        string // by which Alice reaches it
	dir        string // of Alice's, empty at first
	over       string // "path" or "xmpp"
	record     []string
}

// sceneOptions say what a scene's repository is like.
type sceneOptions struct {
	init   []string          // more arguments of git init; a bare repository unless they hold workTree
	config map[string]string // of Bob's repository
}

// workTree among the arguments of git init asks for a repository with a work tree.
const workTree = "--no-bare"

// compare plays a scene twice, with a file:// URL as the reference and over XMPP, and fails the test where what git says,
// its exit status, the refs or the objects of either side differ.
func (w *site) compare(t *testing.T, o sceneOptions, play func(c *scene)) {
	t.Helper()
	reference := w.play(t, "path", o, play)
	if t.Failed() {
		return
	}
	got := w.play(t, "xmpp", o, play)
	if slices.Equal(reference, got) {
		return
	}
	t.Errorf("over XMPP it isn't as by a path:\n%s", diff(reference, got))
}

// play plays a scene and returns its record.
func (w *site) play(t *testing.T, over string, o sceneOptions, play func(c *scene)) []string {
	t.Helper()
	c := w.scene(t, over, o)
	play(c)
	c.finish()
	return c.record
}

// scene prepares Bob's repository, empty if it is bare and with a first commit otherwise, and an empty folder of Alice's.
func (w *site) scene(t *testing.T, over string, o sceneOptions) *scene {
	t.Helper()
	c := &scene{T: t, bob: w.bob.in(t), alice: w.alice.in(t), over: over}
	group := fmt.Sprintf("%d", w.count.Add(1))
	c.served = filepath.Join(w.base, group, "proj.git")
	args := append([]string{"--bare"}, o.init...)
	if slices.Contains(o.init, workTree) {
		c.served = filepath.Join(w.base, group, "proj")
		args = slices.DeleteFunc(args, func(a string) bool { return a == workTree || a == "--bare" })
	}
	c.bob.newRepo(filepath.Join("base", group, filepath.Base(c.served)), args...)
	for key, value := range o.config {
		c.bob.git(c.served, "config", key, value)
	}
	c.dir = filepath.Join(c.alice.dir, group)
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c.url = "file://" + c.served
	if over == "xmpp" {
		c.url = "xmpp::bob@localhost/" + group + "/proj"
		c.bob.xmpp(c.served, "peers", "set", w.key, "--access", "write", ".")
	}
	return c
}

// clone makes Alice's clone of Bob's repository, as it is, and returns its folder.
func (c *scene) clone(args ...string) string {
	c.Helper()
	dir := filepath.Join(c.dir, "clone")
	c.alice.git(c.dir, append(append([]string{"clone", "--quiet"}, args...), c.url, dir)...)
	return dir
}

// git runs git as Alice and writes down what it says and how it ends.
func (c *scene) git(dir string, args ...string) result {
	c.Helper()
	r := c.alice.try(dir, "git", args...)
	c.note("$ git %s\n%s", strings.Join(args, " "), r)
	return r
}

// note writes down a fact that must be the same over XMPP.
func (c *scene) note(format string, args ...any) {
	c.record = append(c.record, strings.Split(c.plain(fmt.Sprintf(format, args...)), "\n")...)
}

// noteFile writes down what is in a file, or that it isn't there.
func (c *scene) noteFile(path ...string) {
	c.Helper()
	file := filepath.Join(path...)
	content, err := os.ReadFile(file)
	if err != nil {
		c.note("%s isn't there", filepath.Base(file))
		return
	}
	c.note("%s:\n%s", filepath.Base(file), content)
}

var (
	uuidText     = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	progressText = regexp.MustCompile(`(?m)^.*\r`)
)

// plain takes out of a text what can't be the same in two runs: the URL, folders, UUIDs, progress that was overwritten.
func (c *scene) plain(text string) string {
	_, bare, _ := strings.Cut(c.url, ":") // git's own messages name xmpp::a as a, sometimes
	text = strings.NewReplacer(c.url, "URL", strings.TrimPrefix(bare, ":"), "URL", c.served, "URL", c.dir, "DIR", "\x1b[K", "").Replace(text)
	return progressText.ReplaceAllString(uuidText.ReplaceAllString(text, "UUID"), "")
}

// finish writes down the refs and objects of all repositories of the scene, which must be sound.
func (c *scene) finish() {
	c.Helper()
	c.state(c.bob, c.served)
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		c.Fatal(err)
	}
	for _, e := range entries {
		if dir := filepath.Join(c.dir, e.Name()); e.IsDir() && c.alice.try(dir, "git", "rev-parse", "--git-dir").status == 0 {
			c.state(c.alice, dir)
		}
	}
}

// state writes down the refs, HEAD and objects of one repository.
func (c *scene) state(h *home, dir string) {
	c.Helper()
	c.note("state of %s", dir)
	c.note("HEAD %s", h.try(dir, "git", "symbolic-ref", "HEAD"))
	c.note("%s", h.git(dir, "for-each-ref"))
	c.note("%s", h.git(dir, "rev-list", "--objects", "--all", "--missing=print", "--no-object-names"))
	if h.try(dir, "git", "config", "extensions.partialClone").status != 0 { // fsck fetches nothing, and misses it
		c.note("%s", h.try(dir, "git", "fsck", "--strict", "--no-dangling"))
	}
}

// diff shows where two texts differ.
func diff(want, got []string) string {
	dir, err := os.MkdirTemp("", "diff-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(dir)
	for name, lines := range map[string][]string{"path": want, "xmpp": got} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			return err.Error()
		}
	}
	return lineDiff(dir)
}

// lineDiff is what git shows of the files path and xmpp in a folder.
func lineDiff(dir string) string {
	cmd := exec.Command("git", "diff", "--no-index", "--unified=4", "path", "xmpp")
	cmd.Dir = dir
	out, _ := cmd.Output() // its exit status says that they differ
	return string(out)
}

// seed gives Bob's bare repository a commit on each of these branches; the first is based on nothing, the others on the one
// before. To be called once.
func (c *scene) seed(branches ...string) {
	c.Helper()
	var history strings.Builder
	const when = "<Bob@example.org> 1704067200 +0000"
	for i, branch := range branches {
		file := strings.ReplaceAll(branch, "/", "-")
		content := "Bob " + file + "\n"
		fmt.Fprintf(&history, "commit refs/heads/%s\nauthor Bob %s\ncommitter Bob %s\ndata %d\n%s\n", branch, when, when, len(file)+1, file)
		if i > 0 {
			fmt.Fprintf(&history, "from refs/heads/%s\n", branches[i-1])
		}
		fmt.Fprintf(&history, "M 100644 inline %s.txt\ndata %d\n%s", file, len(content), content)
	}
	cmd := c.bob.command(c.served, "git", "fast-import", "--quiet")
	cmd.Stdin = strings.NewReader(history.String())
	if r := run(c, cmd); r.status != 0 {
		c.Fatalf("git fast-import: %v", r)
	}
}
