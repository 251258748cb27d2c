package serve_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Nothing is found by a name that leaves the folder, or that goes into a repository.
func TestBasePathHostileNames(t *testing.T) {
	f := newFolder(t)
	f.repo("base/proj")
	f.repo("base/bare.git")
	outside := f.repo("outside.git")
	f.repo("base.git")
	c := f.catalog(true)
	long := strings.Repeat("a/", 600) + "a"
	for _, name := range []string{
		"..", "../outside", "../outside.git", "a/../proj", "proj/../proj", "proj/../../outside.git", "proj/..", "bare.git/../../outside.git", ".", "./proj", "proj/.", "/", "//",
		filepath.Join(f.base, "proj"), filepath.Join(f.home, "outside.git"), "/proj", "proj//", `C:\`, `C:\base\proj`, "C:", "C:proj", "C:/proj", `..\outside.git`, `proj\.git`, `\\host\share`,
		"proj\x00", "proj\x00.git", "\x00", "proj\n", "pro\nj", "proj\r", "-proj", "-", "--upload-pack=touch x", "proj/-x", ".git", ".GIT", "proj/.git", "proj/.GIT", "proj/.git/", "proj/.git/.",
		"proj/.git/objects", "proj/.git/HEAD", "bare.git/objects", "bare.git/refs/heads", "bare.git/HEAD", "bare.git/.git", "base", "base.git", "outside", "outside.git", outside,
		"proj.git/.git", "\xff", "proj\xff", "caf\xc3", "proj\u202e", "proj\u2028", "~", "~root", "$HOME", "$(id)", "`id`", "*", "proj*", "?", "[p]roj", "proj;id", "file://" + f.base + "/proj",
		strings.Repeat("x", 300), strings.Repeat("x", 5000), long, long + "/proj",
	} {
		f.misses(c, name)
	}
}

// Symbolic links aren't followed, wherever they stand and wherever they lead.
func TestBasePathSymbolicLinks(t *testing.T) {
	f := newFolder(t)
	f.repo("outside/secret.git")
	f.repo("outside/work")
	inside := f.repo("base/real/inside.git")
	f.link("../outside/secret.git", "base/link.git")
	f.link(filepath.Join(f.home, "outside", "secret.git"), "base/absolute.git")
	f.link("../outside/work", "base/worklink")
	f.link("../outside", "base/parent")
	f.link("real", "base/alias")
	f.link("real/inside.git", "base/twin.git")
	f.link("loop", "base/loop")
	f.link("gone", "base/dangling")
	f.link("/proc/self/cwd", "base/proc")
	f.mkdir("base/dotgit")
	f.link("../../outside/work/.git", "base/dotgit/.git")
	f.mkdir("base/below/dotgit2")
	f.link("../../../outside/secret.git", "base/below/dotgit2/.git")
	for _, part := range []string{"HEAD", "objects", "refs", "config"} {
		for _, name := range []string{"base/bare-" + part + ".git", "base/work-" + part} {
			f.repo(name)
			dir := name
			if !strings.HasSuffix(name, ".git") {
				dir += "/.git"
			}
			f.move(filepath.Join(dir, part), part+"-of-"+filepath.Base(name))
			f.link(filepath.Join(f.home, part+"-of-"+filepath.Base(name)), filepath.Join(dir, part))
		}
	}
	c := f.catalog(true)
	f.finds(c, "real/inside", inside)
	f.finds(c, "", inside) // the only one
	for _, name := range []string{
		"link", "link.git", "absolute", "secret", "worklink", "work", "worklink/.git", "parent/secret", "parent/secret.git", "parent/work", "alias/inside", "twin", "loop", "loop/loop", "dangling", "proc",
		"proc/base/real/inside", "dotgit", "dotgit/.git", "below/dotgit2", "bare-HEAD", "bare-objects", "bare-refs", "bare-config", "work-HEAD", "work-objects", "work-refs", "work-config",
	} {
		f.misses(c, name)
	}
}

// What lies in a work tree, or in a repository, is never served: others may have put it there.
func TestBasePathNested(t *testing.T) {
	f := newFolder(t)
	proj, bare := f.repo("base/proj"), f.repo("base/bare.git")
	f.repo("base/proj/vendor/lib")
	f.repo("base/proj/vendor/lib.git")
	f.repo("base/proj/.git/modules/sub.git")
	f.repo("base/bare.git/worktrees/x.git")
	f.repo("source")
	git(t, filepath.Join(f.home, "source"), "-c", "user.name=x", "-c", "user.email=x@y", "commit", "--quiet", "--allow-empty", "--message=x")
	git(t, filepath.Join(f.home, "source"), "worktree", "add", "--quiet", "--detach", filepath.Join(f.base, "linked"))
	git(t, f.home, "init", "--quiet", "--separate-git-dir="+filepath.Join(f.home, "apart.git"), filepath.Join(f.base, "separate"))
	f.repo("base/separate/below.git")
	f.mkdir("base/empty/.git")
	f.repo("base/empty/below")
	// a branch of these names makes a folder that git takes for a repository
	head := filepath.Join(f.base, "bare.git", "refs", "heads", "x")
	f.mkdir("base/bare.git/refs/heads/x/objects")
	f.mkdir("base/bare.git/refs/heads/x/refs")
	if err := os.WriteFile(filepath.Join(head, "HEAD"), []byte(strings.Repeat("1", 40)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := f.catalog(true)
	f.finds(c, "proj", proj)
	f.finds(c, "bare", bare)
	if names := f.ambiguous(c, ""); !slices.Equal(names, []string{"bare", "proj"}) {
		t.Errorf("names %q", names)
	}
	for _, name := range []string{
		"proj/vendor/lib", "proj/vendor/lib.git", "lib", "proj/.git/modules/sub", "sub", "bare.git/worktrees/x", "x", "bare.git/refs/heads/x", "linked", "separate", "separate/below", "below", "empty", "empty/below",
	} {
		f.misses(c, name)
	}
}
