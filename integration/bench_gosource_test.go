package integration

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// goSourceCommits is in how many commits the source tree is imported.
const goSourceCommits = 5

// A real repository, the Go source tree, is cloned and pushed, and is the same on both sides.
func TestGoSourceTree(t *testing.T) {
	source := goSource(t)
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		bob, alice := newHome(t, s, "Bob", "bob"), newHome(t, s, "Alice", "alice")
		imported := bob.importTree(source, filepath.Join(bob.dir, "source.git"))
		pushed := bob.newRepo("pushed", "--bare")
		bob.serve(bob.dir, imported, pushed)

		alice.git(alice.dir, "clone", "--quiet", bob.xmpp(imported, "invite"), "work")
		work := filepath.Join(alice.dir, "work")
		sameTree(t, source, work)
		alice.git(work, "push", "--quiet", bob.xmpp(pushed, "invite"), "main")
		bob.git(bob.dir, "clone", "--quiet", "--shared", "--branch", "main", pushed, "checkout")
		sameTree(t, source, filepath.Join(bob.dir, "checkout"))

		want := bob.git(imported, "rev-parse", "main", "main^{tree}")
		for _, at := range []struct {
			*home
			dir string
		}{{alice, work}, {bob, pushed}} {
			if got := at.git(at.dir, "rev-parse", "main", "main^{tree}"); got != want {
				t.Errorf("%s: commit and tree are %q, want %q", at.dir, got, want)
			}
			if n := at.git(at.dir, "rev-list", "--count", "main"); n != fmt.Sprint(goSourceCommits) {
				t.Errorf("%s: %s commits, want %d", at.dir, n, goSourceCommits)
			}
			if out := at.gitBoth(at.dir, "fsck", "--full", "--strict", "--no-progress"); out.stdout+out.stderr != "" {
				t.Errorf("%s: fsck says %s%s", at.dir, out.stdout, out.stderr)
			}
		}
	})
}

// goSource is the folder with the sources of the Go that runs this test.
func goSource(t *testing.T) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "src")
}

// importTree makes a bare repository of a folder with all that is in it, which isn't touched, in goSourceCommits commits.
func (h *home) importTree(source, dir string) string {
	h.t.Helper()
	h.git(h.dir, "init", "--quiet", "--bare", dir)
	h.git(dir, "config", "core.bare", "false") // only so can it be given a work tree
	entries, err := os.ReadDir(source)
	if err != nil {
		h.t.Fatal(err)
	}
	git := func(args ...string) {
		h.git(source, append([]string{"--git-dir=" + dir, "--work-tree=" + source}, args...)...)
	}
	for n := range goSourceCommits {
		add := []string{"add", "--force", "--"}
		for i, entry := range entries {
			if i%goSourceCommits == n {
				add = append(add, entry.Name())
			}
		}
		git(add...)
		git("commit", "--quiet", "--message", fmt.Sprintf("part %d", n+1))
	}
	h.git(dir, "config", "core.bare", "true")
	return dir
}

// sameTree compares the files below two folders, apart from .git.
func sameTree(t *testing.T, want, got string) {
	t.Helper()
	files, others := filesBelow(t, want), filesBelow(t, got)
	if len(files) < 5000 {
		t.Errorf("%s has only %d files: that isn't a real source tree", want, len(files))
	}
	for name := range others {
		if !files[name] {
			t.Errorf("%s has %s, which %s hasn't", got, name, want)
		}
	}
	for name := range files {
		a, errA := os.ReadFile(filepath.Join(want, name))
		b, errB := os.ReadFile(filepath.Join(got, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Fatalf("%s isn't the same in %s and in %s (%v, %v)", name, want, got, errA, errB)
		}
	}
}

func filesBelow(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files := make(map[string]bool)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path == filepath.Join(dir, ".git"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		name, err := filepath.Rel(dir, path)
		files[name] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
