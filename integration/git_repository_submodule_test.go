package integration

import (
	"os"
	"path/filepath"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A submodule is a repository like others: served by its own name, and its files follow a push.
func TestGitRepositorySubmodule(t *testing.T) {
	s := testserver.New(t, testserver.Ejabberd, testserver.Options{})
	bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
	library, super := bob.newRepo("library"), bob.newRepo("super")
	bob.git(super, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", library, "lib")
	bob.git(super, "commit", "--quiet", "--message=with a library")
	served := filepath.Join(super, "lib")
	bob.serve(served)
	url := bob.xmpp(served, "invite")
	mustSay(t, url, "xmpp::bob@localhost/lib?")
	alice.git(alice.dir, "clone", "--quiet", url, "clone")
	clone := filepath.Join(alice.dir, "clone")

	pushed := alice.commit(clone, "more")
	alice.git(clone, "push", "--quiet", "origin", "main")
	if got := bob.git(served, "rev-parse", "HEAD"); got != pushed {
		t.Errorf("HEAD is %s, want %s", got, pushed)
	}
	if content, err := os.ReadFile(filepath.Join(served, "more.txt")); err != nil || string(content) != "Alice more\n" {
		t.Errorf("the file didn't follow: %q, %v", content, err)
	}
	if got := bob.git(served, "status", "--porcelain"); got != "" {
		t.Errorf("the work tree isn't clean: %s", got)
	}
	if got, want := bob.git(super, "status", "--porcelain"), "M lib"; got != want {
		t.Errorf("status of the repository around it: %q, want %q", got, want)
	}
	bob.git(served, "fsck", "--strict")
}
