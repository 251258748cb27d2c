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

// become makes Bob's repository a clone of another one, and a peer sees the same as before in it.
func (c *scene) become(args ...string) {
	c.Helper()
	uuid := c.bob.try(c.served, "git", "config", "xmpp.uuid").stdout
	if err := os.RemoveAll(c.served); err != nil {
		c.Fatal(err)
	}
	c.bob.git(c.bob.dir, slices.Concat([]string{"clone", "--quiet", "--mirror"}, args, []string{c.served})...)
	if uuid != "" {
		c.bob.git(c.served, "config", "xmpp.uuid", strings.TrimSpace(uuid))
	}
}

// refused runs git as Alice for a request that upload-pack refuses, or that git itself gives up. What upload-pack says on its own
// standard error is marked as the other side's over XMPP, and comes before or after what git here says; and who
// still sees the other hang up is chance.
func (c *scene) refused(dir string, args ...string) {
	c.Helper()
	r := c.alice.try(dir, "git", args...)
	lines := strings.Split(strings.ReplaceAll(c.plain(r.stderr), "remote: fatal: ", "fatal: "), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return l == "fatal: the remote end hung up unexpectedly" })
	slices.Sort(lines)
	c.note("$ git %s\nexit status %d\nstdout: %s\nstderr, sorted: %s", strings.Join(args, " "), r.status, r.stdout, strings.Join(lines, "\n"))
}

// What git fetch brings, and what it says about it.
func TestGitFetch(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{
		"new, moved, forced and nothing new": fetchNew,
		"tags":                               fetchTags,
		"prune":                              fetchPrune,
		"refspecs and object ids":            fetchRefspecs,
		"FETCH_HEAD and upstream":            fetchHead,
		"refetch":                            fetchRefetch,
		"negotiate only":                     fetchNegotiateOnly,
		"several remotes":                    fetchMultiple,
		"remote":                             remoteCommands,
		"pull":                               pull,
		"failures":                           fetchFailures,
		"odd names":                          fetchOddNames,
		"notes and replacements":             fetchNotes,
	})
}

func fetchNew(c *scene) {
	c.grow("main", 3)
	clone := c.clone()
	c.git(clone, "fetch")
	c.git(clone, "fetch", "--verbose")
	c.grow("main", 2)
	c.grow("topic", 2)
	c.git(clone, "fetch", "--dry-run")
	c.note("%s", c.alice.git(clone, "for-each-ref"))
	c.git(clone, "fetch", "--atomic")
	c.bob.git(c.served, "update-ref", "refs/heads/topic", "main")
	c.git(clone, "fetch", "origin", "refs/heads/topic:refs/remotes/origin/topic")
	c.git(clone, "fetch", "--quiet", "--force")
	c.bob.git(c.served, "update-ref", "refs/heads/main", "main~1")
	c.git(clone, "fetch", "--keep")
	c.git(clone, "fetch", "--no-write-fetch-head", "--server-option=anything")
	c.grow("main", 2)
	c.git(clone, "fetch", "--prefetch")
	c.git(clone, "fetch", "--porcelain") // git has it since 2.41
}

func fetchTags(c *scene) {
	c.grow("main", 3)
	clone := c.clone("--no-tags")
	c.bob.git(c.served, "tag", "light", "main~1")
	c.bob.git(c.served, "tag", "-a", "-m", "heavy", "heavy", "main~1")
	c.bob.git(c.served, "tag", "-a", "-m", "of a tag", "outer", "heavy")
	c.bob.git(c.served, "tag", "blob", "main:shared.txt")
	c.bob.git(c.served, "tag", "-a", "-m", "of a blob", "heavy-blob", "main:shared.txt")
	c.bob.git(c.served, "tag", "tree", "main^{tree}")
	c.git(clone, "fetch")
	c.git(clone, "config", "--unset", "remote.origin.tagOpt")
	c.grow("main", 1)
	c.git(clone, "fetch", "--no-tags")
	c.note("%s", c.alice.git(clone, "for-each-ref"))
	c.git(clone, "fetch", "origin", "tag", "outer")
	c.git(clone, "fetch") // follows tags of what it has
	c.git(clone, "fetch", "--tags")
	c.git(clone, "cat-file", "-p", "heavy-blob")
	c.bob.git(c.served, "tag", "--force", "light", "main")
	c.git(clone, "fetch", "--tags")
	c.git(clone, "fetch", "--tags", "--force")
}

func fetchPrune(c *scene) {
	c.grow("main", 2)
	for _, name := range []string{"heads/gone", "heads/going/deep", "tags/gone", "heads/clash"} {
		c.bob.git(c.served, "update-ref", "refs/"+name, "main")
	}
	clone := c.clone()
	c.bob.git(c.served, "update-ref", "-d", "refs/heads/gone")
	c.bob.git(c.served, "update-ref", "-d", "refs/tags/gone")
	c.git(clone, "fetch")
	c.git(clone, "fetch", "--prune", "--dry-run")
	c.git(clone, "fetch", "--prune")
	c.git(clone, "fetch", "--prune", "--prune-tags")
	c.bob.git(c.served, "update-ref", "-d", "refs/heads/clash")
	c.bob.git(c.served, "update-ref", "refs/heads/clash/deep", "main")
	c.git(clone, "fetch")
	c.git(clone, "-c", "fetch.prune=true", "fetch")
	c.bob.git(c.served, "update-ref", "-d", "refs/heads/going/deep")
	c.git(clone, "remote", "prune", "origin")
}

func fetchRefspecs(c *scene) {
	c.grow("main", 3)
	c.grow("topic", 2)
	dir := c.alice.newRepo(filepath.Join(filepath.Base(c.dir), "own"))
	c.git(dir, "fetch", c.url, "topic")
	c.git(dir, "fetch", c.url, "refs/heads/*:refs/far/*", "^refs/heads/topic")
	c.git(dir, "fetch", c.url, "HEAD:refs/heads/their-head")
	c.git(dir, "fetch", c.url, "topic:main")
	c.git(dir, "fetch", "--update-head-ok", c.url, "+topic:main")
	c.git(dir, "fetch", "--refmap=", c.url, "main")
	byID := c.bob.git(c.served, "rev-parse", "topic")
	inside := c.bob.git(c.served, "rev-parse", "topic~1")
	c.git(dir, "fetch", c.url, byID+":refs/by/tip")
	for _, version := range []string{"0", "2"} { // version 2 serves any object
		c.git(dir, "-c", "protocol.version="+version, "fetch", c.url, inside+":refs/by/reachable-"+version)
	}
	hidden := c.bob.git(c.served, "commit-tree", "-m", "nowhere", "main^{tree}")
	c.bob.git(c.served, "config", "uploadpack.allowReachableSHA1InWant", "true")
	c.git(dir, "-c", "protocol.version=0", "fetch", c.url, inside+":refs/by/reachable")
	c.refused(dir, "-c", "protocol.version=0", "fetch", c.url, hidden+":refs/by/refused")
	c.bob.git(c.served, "config", "uploadpack.allowAnySHA1InWant", "true")
	c.git(dir, "-c", "protocol.version=0", "fetch", c.url, hidden+":refs/by/any")
	cmd := c.alice.command(dir, "git", "fetch", "--stdin", c.url)
	cmd.Stdin = strings.NewReader("refs/heads/main:refs/listed/main\nrefs/heads/topic:refs/listed/topic\n")
	c.note("fetch --stdin: %s", run(c, cmd))
}

func fetchHead(c *scene) {
	c.grow("main", 2)
	c.grow("topic", 2)
	dir := c.alice.newRepo(filepath.Join(filepath.Base(c.dir), "own"))
	c.git(dir, "remote", "add", "-f", "-t", "main", "far", c.url)
	c.git(dir, "fetch", "far", "topic")
	c.noteFile(dir, ".git", "FETCH_HEAD")
	c.git(dir, "fetch", "--append", "far", "main")
	c.noteFile(dir, ".git", "FETCH_HEAD")
	c.git(dir, "fetch", "--set-upstream", "far", "main")
	c.note("%s", c.alice.git(dir, "config", "--get-regexp", "^branch"))
	c.git(dir, "fetch", "--dry-run", "--no-write-fetch-head")
	c.git(dir, "fmt-merge-msg", "--file", filepath.Join(dir, ".git", "FETCH_HEAD"))
}

func fetchRefetch(c *scene) {
	c.grow("main", 5)
	clone := c.clone()
	packs := func() int {
		found, err := filepath.Glob(filepath.Join(clone, ".git", "objects", "pack", "*.pack"))
		if err != nil {
			c.Fatal(err)
		}
		return len(found)
	}
	c.git(clone, "fetch", "--refetch", "--no-auto-maintenance")
	c.note("%d packs", packs())
	c.git(clone, "-c", "fetch.unpackLimit=1", "fetch", "--refetch")
	c.note("%d packs", packs())
}

func fetchNegotiateOnly(c *scene) {
	c.grow("main", 10)
	clone := c.clone()
	c.alice.commit(clone, "hers")
	c.grow("main", 1)
	c.git(clone, "fetch", "--negotiate-only", "--negotiation-tip=main", "origin")
	c.git(clone, "fetch", "--negotiate-only", "--negotiation-tip=main~3", "origin")
	c.git(clone, "fetch", "--negotiate-only", "origin")
	c.refused(clone, "-c", "protocol.version=0", "fetch", "--negotiate-only", "--negotiation-tip=main", "origin")
	c.git(clone, "fetch", "--negotiation-tip=origin/main", "origin")
	for _, algorithm := range []string{"skipping", "noop"} {
		c.grow("main", 1)
		c.git(clone, "-c", "fetch.negotiationAlgorithm="+algorithm, "fetch")
	}
}

func fetchMultiple(c *scene) {
	c.grow("main", 2)
	clone := c.clone()
	for _, name := range []string{"second", "third"} {
		c.alice.git(clone, "remote", "add", name, c.url)
	}
	c.alice.git(clone, "config", "remotes.both", "second origin")
	c.git(clone, "fetch", "both")
	c.grow("main", 1)
	c.git(clone, "fetch", "--quiet", "--all", "--jobs=3")
	c.grow("main", 1)
	c.git(clone, "fetch", "--multiple", "--quiet", "-j2", "origin", "third")
	c.git(clone, "fetch", "--all")
	c.alice.git(clone, "remote", "add", "bad", c.url+"-not")
	c.note("a bad one among several: %d", c.alice.try(clone, "git", "fetch", "--all", "--jobs=2").status)
	c.note("%s", c.alice.git(clone, "for-each-ref"))
}

func remoteCommands(c *scene) {
	c.grow("main", 2)
	c.grow("topic", 1)
	clone := c.clone()
	c.git(clone, "remote", "show", "origin")
	c.grow("new", 1)
	c.bob.git(c.served, "update-ref", "-d", "refs/heads/topic")
	c.git(clone, "remote", "show", "origin")
	c.bob.git(c.served, "symbolic-ref", "HEAD", "refs/heads/new")
	c.git(clone, "remote", "update", "--prune")
	c.git(clone, "remote", "set-head", "origin", "-a")
	c.git(clone, "remote", "set-head", "origin", "--delete")
	c.git(clone, "remote", "get-url", "--all", "origin")
	c.git(clone, "remote", "rename", "origin", "bob")
	c.git(clone, "remote", "update")
	c.git(clone, "remote", "-v")
	c.git(clone, "request-pull", "main~1", c.url, "main")
}

func pull(c *scene) {
	c.grow("main", 2)
	clone := c.clone()
	c.grow("main", 1)
	c.git(clone, "pull")
	c.git(clone, "pull")
	c.grow("main", 1)
	c.alice.commit(clone, "hers")
	c.git(clone, "pull", "--ff-only")
	c.git(clone, "pull", "--rebase")
	c.note("%s", c.alice.git(clone, "log", "--format=%s", "-3"))
	c.grow("main", 1)
	c.git(clone, "pull", "--no-rebase", "--no-edit")
	c.note("%s", c.alice.git(clone, "log", "--format=%s", "-3"))
	c.alice.git(clone, "commit", "--quiet", "--amend", "--message=merge") // the URL in the message made for another id
	c.grow("topic", 1)
	c.git(clone, "pull", "--no-rebase", "--no-edit", "--allow-unrelated-histories", "--strategy-option=ours", c.url, "topic")
	c.note("%s", c.alice.git(clone, "log", "--format=%B", "-1"))
	c.alice.git(clone, "commit", "--quiet", "--amend", "--message=merge")
	c.git(clone, "pull", "origin", "no-such-branch")
}

func fetchFailures(c *scene) {
	c.grow("main", 2)
	clone := c.clone()
	c.git(clone, "fetch", "origin", "no-such-branch")
	c.git(clone, "fetch", "origin", "refs/heads/no*:refs/x/*")
	c.git(clone, "fetch", "origin", "tag", "none")
	c.git(clone, "-c", "protocol.version=0", "fetch", "origin", strings.Repeat("12", 20))
	c.refused(clone, "fetch", "origin", strings.Repeat("12", 20))
	c.git(clone, "fetch", "origin", "main:refs/heads/main")
	c.git(clone, "fetch", "no-such-remote")
	r := c.alice.try(clone, "git", "-c", "protocol.xmpp.allow=never", "-c", "protocol.file.allow=never", "fetch")
	c.note("not allowed: %s", strings.NewReplacer("'file'", "'SCHEME'", "'xmpp'", "'SCHEME'").Replace(r.String()))
	// The words for a repository that isn't there are ours, the status is git's.
	for _, args := range [][]string{{"fetch", c.url + "-not"}, {"ls-remote", c.url + "-not"}, {"clone", c.url + "-not", "x"}, {"pull", c.url + "-not"}} {
		c.note("%s of no repository: %d", args[0], c.alice.try(clone, "git", args...).status)
	}
}

func fetchOddNames(c *scene) {
	c.grow("main", 2)
	deep := strings.Repeat("deep/", 40) + "end"
	for _, name := range []string{"heads/grün/日本語", "heads/" + deep, "heads/a.b,c;d!e", "heads/-dash", "tags/ü", "heads/with'quote\"s", "x/y", "heads/@", "heads/%41&$x"} {
		c.bob.git(c.served, "update-ref", "refs/"+name, "main")
	}
	c.git(c.dir, "ls-remote", c.url)
	c.git(c.dir, "ls-remote", c.url, "refs/heads/gr*")
	clone := c.clone()
	c.git(clone, "branch", "--list", "--remotes")
	c.git(clone, "checkout", "grün/日本語")
	c.git(clone, "fetch", "origin", deep, "refs/x/y:refs/x/y")
	c.git(clone, "pull", "origin", "grün/日本語")
}

func fetchNotes(c *scene) {
	c.grow("main", 3)
	c.bob.git(c.served, "notes", "add", "-m", "a note", "main")
	c.bob.git(c.served, "replace", "main~1", "main~2")
	clone := c.clone()
	c.git(clone, "fetch", "origin", "refs/notes/*:refs/notes/*", "refs/replace/*:refs/replace/*")
	c.git(clone, "log", "--format=%s %N", "main")
	c.git(clone, "fetch", "origin", "refs/notes/*:refs/notes/*", "refs/replace/*:refs/replace/*")
}
