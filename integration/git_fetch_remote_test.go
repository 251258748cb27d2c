package integration

import (
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// What is built on git fetch, and what it does with the unusual.
func TestGitRemoteAndPull(t *testing.T) {
	fetchScenes(t, testserver.Prosody, plays{
		"several remotes":        fetchMultiple,
		"remote":                 remoteCommands,
		"pull":                   pull,
		"failures":               fetchFailures,
		"odd names":              fetchOddNames,
		"notes and replacements": fetchNotes,
	})
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
