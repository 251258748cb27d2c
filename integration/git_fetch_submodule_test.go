package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// Submodules whose URLs are relative to one over XMPP.
func TestGitSubmodules(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{
		"nested":            submodulesNested,
		"shallow":           submodulesShallow,
		"partial":           submodulesPartial,
		"update and remote": submodulesUpdate,
		"add":               submodulesAdd,
		"not allowed":       submodulesNotAllowed,
	})
}

// allowed makes git take a scene's URLs for submodules: it asks for that by default of the protocols that it doesn't know, and of file://.
var allowed = []string{"-c", "protocol.xmpp.allow=always", "-c", "protocol.file.allow=always"}

// sibling makes another repository of Bob's, in the same folder as the served one.
func (c *scene) sibling(name string) string {
	c.Helper()
	dir := filepath.Join(filepath.Dir(c.served), name+".git")
	rel, err := filepath.Rel(c.bob.dir, dir)
	if err != nil {
		c.Fatal(err)
	}
	c.bob.newRepo(rel, "--bare")
	if c.over == "xmpp" {
		c.bob.xmpp(dir, "peers", "set", c.alice.key(), "--access", "write", ".")
	}
	return dir
}

// include adds a commit to a repository's main branch that has another's at name as a submodule, by a URL.
func (c *scene) include(into, from, name, url string) {
	c.Helper()
	modules := fmt.Sprintf("[submodule %q]\n\tpath = %s\n\turl = %s\n\tbranch = main\n", name, name, url)
	message := "include " + name + "\n"
	input := fmt.Sprintf("commit refs/heads/main\ncommitter Bob <bob@example.org> 1710000000 +0000\ndata %d\n%sfrom refs/heads/main^0\n", len(message), message)
	input += fmt.Sprintf("M 160000 %s %s\nM 100644 inline .gitmodules\ndata %d\n%s\n", c.bob.git(from, "rev-parse", "main"), name, len(modules), modules)
	c.bobFeeds(into, input, "fast-import", "--quiet")
}

// nest has the served repository include sub, which includes leaf. It returns the folder of sub.
func (c *scene) nest() string {
	c.Helper()
	sub, leaf := c.sibling("sub"), c.sibling("leaf")
	c.grow("main", 2)
	c.growIn(sub, "main", 3)
	c.growIn(leaf, "main", 3)
	c.include(sub, leaf, "leaf", "../leaf")
	c.include(c.served, sub, "sub", "../sub")
	return sub
}

// noteModules writes down where a clone's submodules are and where they come from.
func (c *scene) noteModules(clone string) {
	c.Helper()
	found := c.alice.git(clone, "submodule", "foreach", "--recursive", "git config remote.origin.url; git rev-parse HEAD; git rev-list --count --all")
	c.note("%s", c.withoutGroup(found))
	c.note("%s", c.alice.git(clone, "submodule", "status", "--recursive"))
}

// gitAllowed runs git as Alice, who allows submodules, and writes down what it says.
func (c *scene) gitAllowed(dir string, args ...string) {
	c.Helper()
	r := c.alice.try(dir, "git", append(allowed[:len(allowed):len(allowed)], args...)...)
	c.note("$ git %s\n%s", strings.Join(args, " "), c.withoutGroup(r.String()))
}

// withoutGroup takes out of a text where the served repository and its siblings are.
func (c *scene) withoutGroup(text string) string {
	return strings.ReplaceAll(text, strings.TrimSuffix(c.url, "/proj")+"/", "GROUP/")
}

func submodulesNested(c *scene) {
	c.nest()
	clone := filepath.Join(c.dir, "clone")
	c.gitAllowed(c.dir, "clone", "--recurse-submodules", "--jobs=2", c.url, clone)
	c.noteModules(clone)
	c.gitAllowed(c.dir, "clone", c.url, "later")
	c.gitAllowed(filepath.Join(c.dir, "later"), "submodule", "update", "--init")
	c.gitAllowed(filepath.Join(c.dir, "later"), "submodule", "update", "--init", "--recursive")
	c.noteModules(filepath.Join(c.dir, "later"))
}

func submodulesShallow(c *scene) {
	c.nest()
	clone := filepath.Join(c.dir, "clone")
	c.gitAllowed(c.dir, "clone", "--depth=1", "--recurse-submodules", "--shallow-submodules", c.url, clone)
	c.noteModules(clone)
}

func submodulesPartial(c *scene) {
	sub := c.nest()
	c.allowFilters()
	for _, dir := range []string{sub, filepath.Join(filepath.Dir(sub), "leaf.git")} {
		c.bob.git(dir, "config", "uploadpack.allowFilter", "true")
	}
	clone := filepath.Join(c.dir, "clone")
	c.gitAllowed(c.dir, "clone", "--filter=blob:none", "--also-filter-submodules", "--recurse-submodules", c.url, clone)
	c.noteModules(clone)
	c.missing(filepath.Join(clone, "sub"))
}

func submodulesUpdate(c *scene) {
	sub := c.nest()
	clone := filepath.Join(c.dir, "clone")
	c.alice.git(c.dir, append(allowed[:len(allowed):len(allowed)], "clone", "--quiet", "--recurse-submodules", c.url, clone)...)
	c.growIn(sub, "main", 2)
	c.gitAllowed(clone, "submodule", "update", "--remote")
	c.noteModules(clone)
	c.gitAllowed(clone, "status", "--short")
	c.gitAllowed(clone, "submodule", "update")
	c.include(c.served, sub, "sub", "../sub")
	c.gitAllowed(clone, "fetch", "--recurse-submodules")
	c.gitAllowed(clone, "pull", "--recurse-submodules")
	c.noteModules(clone)
	c.gitAllowed(clone, "submodule", "sync", "--recursive")
	c.alice.git(clone, "config", "submodule.recurse", "true")
	c.growIn(sub, "main", 1)
	c.include(c.served, sub, "sub", "../sub")
	c.git(clone, "-c", "protocol.xmpp.allow=user", "-c", "protocol.file.allow=user", "pull", "--quiet") // only a clone needs more
	c.noteModules(clone)
}

// submodulesAdd adds one by a relative URL, from Alice's side.
func submodulesAdd(c *scene) {
	c.grow("main", 1)
	c.growIn(c.sibling("sub"), "main", 2)
	c.growIn(c.sibling("more/sub2"), "main", 2)
	clone := c.clone()
	c.gitAllowed(clone, "submodule", "add", "../sub")
	c.gitAllowed(clone, "submodule", "add", "--depth=1", "../more/sub2", "deep/sub2")
	c.noteModules(clone)
	c.noteFile(clone, ".gitmodules")
	c.alice.git(clone, "commit", "--quiet", "--message=modules")
	c.git(clone, "push")
	c.git(clone, "push", "--recurse-submodules=check")
}

// submodulesNotAllowed shows what git says without the setting: it refuses whatever `git submodule` would get, but not a fetch in
// submodules that are there.
func submodulesNotAllowed(c *scene) {
	sub := c.nest()
	refused := func(dir string, args ...string) {
		r := c.alice.try(dir, "git", args...)
		said := strings.NewReplacer("'xmpp'", "'SCHEME'", "'file'", "'SCHEME'").Replace(c.withoutGroup(r.String()))
		c.note("$ git %s\n%s", strings.Join(args, " "), said)
		if r.status == 0 || !strings.Contains(said, "fatal: transport 'SCHEME' not allowed") {
			c.Errorf("git %v: %s", args, said)
		}
	}
	refused(c.dir, "clone", "--recurse-submodules", c.url, "clone")
	refused(filepath.Join(c.dir, "clone"), "submodule", "update", "--init")
	clone := filepath.Join(c.dir, "complete")
	c.alice.git(c.dir, append(allowed[:len(allowed):len(allowed)], "clone", "--quiet", "--recurse-submodules", c.url, clone)...)
	c.growIn(sub, "main", 1)
	refused(clone, "submodule", "update", "--remote")
	c.git(clone, "fetch", "--quiet", "--recurse-submodules")
	c.note("%s", c.alice.git(filepath.Join(clone, "sub"), "rev-parse", "origin/main"))
}

// A submodule's own URL over XMPP, which is the same for everybody, needs no more than a relative one.
func TestGitSubmoduleOfXMPPURL(t *testing.T) {
	c := newSite(t, testserver.New(t, testserver.Prosody, testserver.Options{})).scene(t, "xmpp", sceneOptions{})
	sub := c.sibling("sub")
	c.grow("main", 1)
	c.growIn(sub, "main", 3)
	c.include(c.served, sub, "sub", strings.TrimSuffix(c.url, "proj")+"sub")
	clone := filepath.Join(c.dir, "clone")
	c.alice.git(c.dir, "-c", "protocol.xmpp.allow=always", "clone", "--quiet", "--recurse-submodules", "file://"+c.served, clone) // from anywhere
	if got, want := c.alice.git(filepath.Join(clone, "sub"), "rev-parse", "HEAD"), c.bob.git(sub, "rev-parse", "main"); got != want {
		t.Errorf("the submodule is at %s, want %s", got, want)
	}
	work := c.alice.newRepo("work")
	c.alice.git(work, "-c", "protocol.xmpp.allow=always", "submodule", "add", "--quiet", strings.TrimSuffix(c.url, "proj")+"sub", "theirs")
	if got := c.alice.git(work, "config", "--file=.gitmodules", "submodule.theirs.url"); !strings.HasPrefix(got, "xmpp::bob@localhost/") {
		t.Errorf("the submodule's url is %s", got)
	}
}
