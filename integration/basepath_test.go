package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A baseSite is a folder of Bob's repositories that is served, and Alice.
type baseSite struct {
	*testing.T
	bob, alice *home
	base       string
	daemon     *daemon
	key        string // Alice's
}

// newBaseSite serves a folder in which there is the repository proj, which Alice may use.
func newBaseSite(t *testing.T, options ...string) *baseSite {
	t.Helper()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	b := &baseSite{T: t, bob: newHome(t, s, "Bob", "bob"), alice: newHome(t, s, "Alice", "alice")}
	b.base = filepath.Join(b.bob.dir, "base")
	proj := b.bob.newRepo("base/proj")
	b.bob.git(proj, "config", "xmpp.export", "true")
	b.daemon = b.bob.serve(b.bob.dir, append([]string{"--base-path", "base"}, options...)...)
	b.alice.git(b.alice.dir, "clone", "--quiet", b.bob.xmpp(proj, "invite", "--label", "Alice"), "clone")
	b.key = b.alice.key()
	return b
}

// grant lets Alice use a repository of Bob's, and returns its UUID.
func (b *baseSite) grant(rel string) string {
	b.Helper()
	dir := filepath.Join(b.bob.dir, rel)
	b.bob.xmpp(b.bob.dir, "peers", "set", b.key, "--access", "write", dir)
	return b.bob.git(dir, "config", "xmpp.uuid")
}

// lists expects that Alice reaches the repository with this commit by a name.
func (b *baseSite) lists(name, head string) {
	b.Helper()
	if got := b.alice.git(b.alice.dir, "ls-remote", "xmpp::bob@localhost/"+name, "HEAD"); got != head+"\tHEAD" {
		b.Errorf("%s: %q, want %s", name, got, head)
	}
}

// refuses expects one line, and this exit status of the helper.
func (b *baseSite) refuses(t *testing.T, name string, status int, line string) {
	t.Helper()
	badInput{
		home: b.alice, dir: filepath.Join(b.alice.dir, "clone"), url: "bob@localhost/" + name, status: status, refused: status != 2, line: line,
		secrets: []string{b.bob.dir},
	}.check(t)
}

// No name leads out of the folder, nor into a repository, not even to what Alice has access to.
func TestBasePathHostileNames(t *testing.T) {
	b := newBaseSite(t, "--export-all")
	for _, rel := range []string{"outside/secret.git", "outside/work", "base/proj/vendor.git", "base/proj/.git/inner.git", "base.git"} {
		dir := b.bob.newRepo(rel, "--bare")
		b.bob.git(b.bob.dir, "clone", "--quiet", "--mirror", "base/proj", "m-"+filepath.Base(rel))
		b.bob.git("", "-C", filepath.Join(b.bob.dir, "m-"+filepath.Base(rel)), "push", "--quiet", "--mirror", dir)
		b.grant(rel)
	}
	for link, target := range map[string]string{
		"link.git": "../outside/secret.git", "parent": "../outside", "loop": "loop", "here": ".", "dot/.git": "../../outside/secret.git", "absolute.git": filepath.Join(b.bob.dir, "outside", "secret.git"),
	} {
		path := filepath.Join(b.base, link)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	const none = "no such repository"
	for name, want := range map[string]struct {
		status int
		line   string
	}{
		"link": {4, none}, "link.git": {4, none}, "parent/secret": {4, none}, "parent/secret.git": {4, none}, "loop": {4, none}, "loop/loop": {4, none}, "here/proj": {4, none}, "absolute": {4, none},
		"dot": {4, none}, "dot/.git": {4, none}, "proj/vendor": {4, none}, "proj/vendor.git": {4, none}, "proj/.git": {4, none}, "proj/.GIT": {4, none}, "proj/.git/inner": {4, none},
		"proj/.git/objects": {4, none}, "proj.git/objects": {4, none}, "proj.git/.git": {4, none}, ".git": {4, none}, "secret": {4, none}, "outside/secret": {4, none}, "base": {4, none}, "base.git": {4, none},
		"vendor": {4, none}, "inner": {4, none}, "~bob": {4, none}, "*": {4, none}, "$(id)": {4, none}, "C%3A": {2, "absolute path"}, "proj%00": {2, "control character"}, "pro%0Aj": {2, "control character"},
		"..": {2, "'..' element"}, "../outside/secret.git": {2, "'..' element"}, "%2e%2e/outside/secret.git": {2, "'..' element"}, "a/../proj": {2, "'..' element"}, "proj/../../outside/secret.git": {2, "'..' element"},
		"proj.git/../../outside/work": {2, "'..' element"}, "./proj": {2, "'.' "}, "/proj": {2, "absolute path"}, "%2Fproj": {2, "absolute path"}, "a//proj": {2, "an empty"},
		"/srv/base/proj": {2, "absolute path"}, `C:%5Cproj`: {2, "absolute path"}, `..%5Coutside`: {2, "backslash"}, "-proj": {2, "begins with '-'"}, "proj%E2%80%AE": {2, "control character"}, "--upload-pack=id": {2, "begins with '-'"},
		"proj/-x": {2, "begins with '-'"}, "%FF": {2, "not UTF-8"}, "caf%C3": {2, "not UTF-8"}, strings.Repeat("x", 2000): {2, "longer than 1024 bytes"}, strings.Repeat("x/", 400) + "x": {4, none},
	} {
		t.Run(name, func(t *testing.T) { b.refuses(t, name, want.status, want.line) })
	}
	b.lists("proj", b.bob.git(filepath.Join(b.base, "proj"), "rev-parse", "HEAD"))
}

// The URL of an invite leads to the repository that it was made for, for as long as that is served, whatever others are called.
func TestBasePathInvites(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	heads, clones := map[string]string{}, map[string]string{}
	invite := func(name string) string { return bob.xmpp(filepath.Join(bob.dir, name), "invite") }
	add := func(name string) { heads[name] = bob.git(bob.newRepo(name), "rev-parse", "HEAD") }
	clone := func(name, url, want string) {
		t.Helper()
		if want = "xmpp::bob@localhost/" + want; !strings.HasPrefix(url, want+"?invite=") {
			t.Errorf("the invite to %s is %s, want %s?invite=…", name, url, want)
		}
		clones[name] = filepath.Join(alice.dir, strings.ReplaceAll(name, "/", "-"))
		alice.git(alice.dir, "clone", "--quiet", url, clones[name])
	}
	for _, name := range []string{"base/same", "base/x/same", "base/y/same", "base/z/same.git", "base/z/same", "apart/same"} {
		add(name)
	}
	early := invite("base/x/same") // before anything was served
	earlyUUID := bob.git(filepath.Join(bob.dir, "base/x/same"), "config", "xmpp.uuid")

	d := bob.serve(bob.dir, "apart/same", "base/y/same") // two of a name
	uuid := bob.git(filepath.Join(bob.dir, "apart/same"), "config", "xmpp.uuid")
	clone("apart/same", invite("apart/same"), uuid)
	d.stop()
	d = bob.serve(bob.dir, "--name", "given", "apart/same")
	alice.git(clones["apart/same"], "fetch", "--quiet")
	alice.git(alice.dir, "ls-remote", invite("apart/same"))
	if url := invite("apart/same"); !strings.HasPrefix(url, "xmpp::bob@localhost/given?") {
		t.Errorf("invite prints %s", url)
	}
	d.stop()

	bob.serve(bob.dir, "--base-path", "base", "--export-all")
	clone("base/x/same", early, earlyUUID)
	clone("base/y/same", invite("base/y/same"), "y/same")
	clone("base/same", invite("base/same"), "same")
	clone("base/z/same", invite("base/z/same"), "z/same")
	clone("base/z/same.git", invite("base/z/same.git"), "z/same.git")
	add("base/new/one") // while it is served
	clone("base/new/one", invite("base/new/one"), "new/one")
	for name, dir := range clones {
		if strings.HasPrefix(name, "base/") {
			alice.git(dir, "fetch", "--quiet")
			if got := alice.git(dir, "rev-parse", "origin/main"); got != heads[name] {
				t.Errorf("the clone of %s has %s, want %s", name, got, heads[name])
			}
		}
	}
	r := alice.try(alice.dir, "git", "ls-remote", "xmpp::bob@localhost")
	mustSay(t, r.stderr, "fatal: remote error: bob@localhost: several repositories, name one: ", "new/one", "x/same", "y/same")
	if url := invite("apart/same"); !strings.HasPrefix(url, "xmpp::bob@localhost/"+uuid+"?") {
		t.Errorf("invite to what isn't served prints %s", url)
	}
}

// A folder's own name means the repository wherever it lies, unless several have it.
func TestBasePathAmbiguous(t *testing.T) {
	b := newBaseSite(t, "--export-all")
	var heads []string
	for _, rel := range []string{"base/x/same", "base/y/same"} {
		dir := b.bob.newRepo(rel)
		heads = append(heads, b.bob.commit(dir, strings.ReplaceAll(rel, "/", "-")))
	}
	b.refuses(t, "same", 4, "no such repository")
	b.grant("base/x/same")
	b.lists("same", heads[0])
	uuid := b.grant("base/y/same")
	b.refuses(t, "same", 1, "several repositories, name one: x/same, y/same")
	b.lists("x/same", heads[0])
	b.lists("y/same.git", heads[1])
	b.lists(uuid, heads[1])
}

// What becomes of the folder counts for the next command, without a restart: new, removed, renamed and replaced repositories,
// and whether they are to be served.
func TestBasePathChanges(t *testing.T) {
	b := newBaseSite(t)
	clone, proj := filepath.Join(b.alice.dir, "clone"), filepath.Join(b.base, "proj")
	head := b.bob.git(proj, "rev-parse", "HEAD")
	uuid := b.bob.git(proj, "config", "xmpp.uuid")

	b.bob.git(proj, "config", "xmpp.export", "false")
	b.refuses(t, "proj", 4, "no such repository")
	b.refuses(t, uuid, 4, "no such repository")
	b.bob.git(proj, "config", "xmpp.export", "true")
	b.alice.git(clone, "fetch", "--quiet")

	next := b.bob.git(b.bob.newRepo("base/deep/next"), "rev-parse", "HEAD")
	b.grant("base/deep/next")
	b.refuses(t, "deep/next", 4, "no such repository")
	b.bob.git(filepath.Join(b.base, "deep", "next"), "config", "xmpp.export", "true")
	b.lists("deep/next", next)

	if err := os.Rename(proj, filepath.Join(b.base, "moved")); err != nil {
		t.Fatal(err)
	}
	b.refuses(t, "proj", 4, "no such repository")
	b.lists("moved", head)
	b.lists(uuid, head)
	b.bob.newRepo("base/proj") // somebody else's
	b.bob.git(filepath.Join(b.base, "proj"), "config", "xmpp.export", "true")
	b.refuses(t, "proj", 4, "no such repository")
	b.alice.git(clone, "remote", "set-url", "origin", "xmpp::bob@localhost/moved")
	pushed := b.alice.commit(clone, "pushed")
	b.alice.git(clone, "push", "--quiet", "origin", "main")
	if got := b.bob.git(filepath.Join(b.base, "moved"), "rev-parse", "main"); got != pushed {
		t.Errorf("main is %s, want %s", got, pushed)
	}
	if err := os.RemoveAll(filepath.Join(b.base, "moved")); err != nil {
		t.Fatal(err)
	}
	b.refuses(t, "moved", 4, "no such repository")
	b.lists("deep/next", next)
}

// Who may push to a repository can't make others be served: what looks like one in its files, and brings a hook along, isn't.
func TestBasePathPushedRepository(t *testing.T) {
	b := newBaseSite(t, "--export-all")
	clone, proj := filepath.Join(b.alice.dir, "clone"), filepath.Join(b.base, "proj")
	mark := filepath.Join(b.bob.dir, "mark")
	evil := filepath.Join(clone, "evil")
	b.alice.git(clone, "init", "--quiet", "--bare", evil)
	b.alice.git(evil, "config", "xmpp.uuid", b.bob.git(proj, "config", "xmpp.uuid")) // one that she has access to
	b.alice.git(evil, "config", "uploadpack.packObjectsHook", "touch "+mark+"; exec")
	b.alice.git(evil, "fetch", "--quiet", clone, "main:main")
	for _, dir := range []string{"hooks", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(evil, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(evil, "hooks", "pre-receive"), []byte("#!/bin/sh\ntouch "+mark+"\n"), 0o700); err != nil { //nolint:gosec // a hook is executable
		t.Fatal(err)
	}
	b.alice.git(clone, "add", "--force", "--all")
	b.alice.git(clone, "commit", "--quiet", "--message=evil")
	b.alice.git(clone, "push", "--quiet", "origin", "main")
	if status := b.bob.try(filepath.Join(proj, "evil"), "git", "-C", ".", "rev-parse", "--is-bare-repository"); status.stdout != "true\n" {
		t.Fatalf("git takes no repository of what was pushed: %v", status)
	}
	b.refuses(t, "proj/evil", 4, "no such repository")
	b.refuses(t, "evil", 4, "no such repository")
	b.lists("", b.bob.git(proj, "rev-parse", "HEAD"))
	b.lists(b.bob.git(proj, "config", "xmpp.uuid"), b.bob.git(proj, "rev-parse", "HEAD"))
	if r := b.alice.try(clone, "git", "push", "xmpp::bob@localhost/proj/evil", "main:x"); r.status == 0 {
		t.Errorf("a push to it: %v", r)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a hook of hers ran")
	}
}
