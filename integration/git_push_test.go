package integration

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// The two values of xmpp.pushMode.
const (
	direct   = "direct"
	fallback = "fallback" // the default, so it needn't be set
)

// A pushScene is played by a path, and over XMPP in each push mode.
type pushScene struct {
	play    func(c *scene)
	options sceneOptions
	// modes are those in which everything is as by a path; nil is both. What ends in a refusal because branches have
	// diverged is for direct only.
	modes []string
	// ownWords says that in fallback mode a refusal is told in the program's words, not git's.
	ownWords bool
}

// The pushing side of git, as by a path.
func TestGitPush(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	for group, scenes := range map[string]map[string]pushScene{
		"kinds": pushKinds, "force": pushForce, "atomic": pushAtomic, "refs": pushRefs, "names": pushNames, "default": pushDefaults,
		"options": pushOptions, "hooks": pushHooks, "signed": pushSigned,
	} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			for name, s := range scenes {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					w.comparePush(t, s)
				})
			}
		})
	}
}

// A handful on another server.
func TestGitPushEjabberd(t *testing.T) {
	w := newSite(t, testserver.New(t, testserver.Ejabberd, testserver.Options{}))
	for name, s := range map[string]pushScene{
		"several": pushKinds["several"], "lease": pushForce["lease"], "atomic": pushAtomic["good"], "signed": pushSigned["signed"],
		"pre-receive-refuses": pushHooks["pre-receive-refuses"], "many": pushNames["many"],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.comparePush(t, s)
		})
	}
}

// comparePush is compare for both push modes.
func (w *site) comparePush(t *testing.T, s pushScene) {
	t.Helper()
	modes := s.modes
	if modes == nil {
		modes = []string{direct, fallback}
	}
	var reference []string
	if !t.Run("path", func(t *testing.T) { reference = w.playPush(t, "path", s.options, s.play) }) {
		return
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			want, got := reference, w.playPush(t, "xmpp", s.options.in(mode), s.play)
			if s.ownWords && mode == fallback {
				want, got = withoutReasons(want), withoutReasons(got)
			}
			if !slices.Equal(want, got) {
				t.Errorf("over XMPP it isn't as by a path:\n%s", diff(want, got))
			}
		})
	}
}

// playPush is play, with the serving side's words in one form.
func (w *site) playPush(t *testing.T, over string, o sceneOptions, play func(c *scene)) []string {
	t.Helper()
	record := w.play(t, over, o, play)
	for i, line := range record {
		record[i] = bareRemote.ReplaceAllString(line, "$1$2")
	}
	return record
}

// bareRemote finds what the serving side's git says past git's protocol, which the program marks as the other side's. What comes by
// the protocol is marked by git, and filled up with spaces.
var bareRemote = regexp.MustCompile(`^(stderr: )?remote: (.*[^ ])$`)

var (
	gitsComplaint = regexp.MustCompile(`remote: error: .*\n`)
	reason        = regexp.MustCompile(`(\[remote rejected\].*) \(.*\)\n`)
)

// withoutReasons is a record without the reasons of refusals.
func withoutReasons(record []string) []string {
	text := gitsComplaint.ReplaceAllString(strings.Join(record, "\n")+"\n", "")
	return strings.Split(reason.ReplaceAllString(text, "$1\n"), "\n")
}

// in are the options of a scene in a push mode.
func (o sceneOptions) in(mode string) sceneOptions {
	if mode == fallback {
		return o
	}
	o.config = maps.Clone(o.config)
	if o.config == nil {
		o.config = make(map[string]string)
	}
	o.config["xmpp.pushMode"] = mode
	return o
}

// bobCommits adds a commit to a branch in Bob's repository, whose tree stays as it was, and returns its id.
func (c *scene) bobCommits(branch, name string) string {
	c.Helper()
	id := c.bob.git(c.served, "commit-tree", "-p", branch, "-m", name, branch+"^{tree}")
	c.bob.git(c.served, "update-ref", "refs/heads/"+branch, id)
	return id
}

// local is clone without a login: it goes by the path, copying objects, and origin is the scene's URL afterwards.
func (c *scene) local(args ...string) string {
	c.Helper()
	dir := filepath.Join(c.dir, "clone")
	c.alice.git(c.dir, append(append([]string{"clone", "--quiet"}, args...), c.served, dir)...)
	c.alice.git(dir, "remote", "set-url", "origin", c.url)
	return dir
}

// fetched makes Alice's remote-tracking branches what a fetch would make them, without a login.
func (c *scene) fetched(dir string) {
	c.Helper()
	c.alice.git(dir, "fetch", "--quiet", "file://"+c.served, "+refs/heads/*:refs/remotes/origin/*")
}

// diverged returns a clone of Alice's whose main has a commit that Bob's doesn't have, and the other way round.
func (c *scene) diverged() string {
	c.Helper()
	c.seed("main")
	dir := c.local()
	c.bobCommits("main", "theirs")
	c.alice.commit(dir, "ours")
	return dir
}

// hook installs a hook, the text of a shell script without its first line, in a repository.
func (c *scene) hook(repository, name, script string) {
	c.Helper()
	dir := repository
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		dir = filepath.Join(dir, ".git")
	}
	path := filepath.Join(dir, "hooks", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // a hook is executable
		c.Fatal(err)
	}
}

// chmod changes a file's mode.
func (c *scene) chmod(path string, mode os.FileMode) {
	c.Helper()
	if err := os.Chmod(path, mode); err != nil {
		c.Fatal(err)
	}
}

// write writes a file.
func (c *scene) write(path, content string) {
	c.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.Fatal(err)
	}
}
