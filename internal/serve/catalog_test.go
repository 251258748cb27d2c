package serve_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/internal/serve"
	"git-remote-xmpp/protocol"
)

// A folder is a base path with repositories, in a home of its own.
type folder struct {
	*testing.T
	home, base string
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"HOME": home, "XDG_CONFIG_HOME": home, "GIT_CONFIG_NOSYSTEM": "1"} {
		t.Setenv(key, value)
	}
	f := &folder{T: t, home: home, base: filepath.Join(home, "base")}
	f.mkdir("base")
	return f
}

func (f *folder) mkdir(rel string) {
	f.Helper()
	if err := os.MkdirAll(filepath.Join(f.home, rel), 0o700); err != nil {
		f.Fatal(err)
	}
}

// repo makes a repository, relative to the home, and returns its UUID; it is bare if its name ends in ".git".
func (f *folder) repo(rel string) string {
	f.Helper()
	path := filepath.Join(f.home, filepath.FromSlash(rel))
	args := []string{"init", "--quiet", path}
	if strings.HasSuffix(rel, ".git") {
		args = append(args, "--bare")
	}
	git(f.T, f.home, args...)
	r, err := repo.Open(f.Context(), path)
	if err != nil {
		f.Fatal(err)
	}
	id, err := r.UUID(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return id
}

func (f *folder) link(target, rel string) {
	f.Helper()
	if err := os.Symlink(target, filepath.Join(f.home, filepath.FromSlash(rel))); err != nil {
		f.Fatal(err)
	}
}

func (f *folder) move(from, to string) {
	f.Helper()
	if err := os.Rename(filepath.Join(f.home, from), filepath.Join(f.home, to)); err != nil {
		f.Fatal(err)
	}
}

func (f *folder) catalog(exportAll bool) *serve.Catalog {
	f.Helper()
	c, err := serve.NewBaseCatalog(f.base, exportAll)
	if err != nil {
		f.Fatal(err)
	}
	return c
}

func anybody(string) bool { return true }

// finds expects a name to mean the repository of a UUID.
func (f *folder) finds(c *serve.Catalog, name, uuid string) serve.Entry {
	f.Helper()
	e, err := c.Find(f.Context(), name, anybody)
	if err != nil || e.UUID != uuid {
		f.Errorf("%q: found %s (%s), %v; want %s", name, e.UUID, e.Name, err, uuid)
	}
	return e
}

// misses expects a name to mean nothing.
func (f *folder) misses(c *serve.Catalog, name string) {
	f.Helper()
	var refusal *protocol.Refuse
	e, err := c.Find(f.Context(), name, anybody)
	if !errors.As(err, &refusal) || refusal.Code != protocol.CodeNoRepository || refusal.Text != "" {
		f.Errorf("%q: found %s, %v", name, e.Name, err)
	}
}

// ambiguous expects a name to mean several, and returns how they are told apart.
func (f *folder) ambiguous(c *serve.Catalog, name string) []string {
	f.Helper()
	var refusal *protocol.Refuse
	if e, err := c.Find(f.Context(), name, anybody); !errors.As(err, &refusal) || refusal.Code != protocol.CodeAmbiguous {
		f.Fatalf("%q: found %s, %v", name, e.Name, err)
	}
	return refusal.Names
}

func TestBasePathNames(t *testing.T) {
	f := newFolder(t)
	work, bare := f.repo("base/work"), f.repo("base/bare.git")
	deep, deepest := f.repo("base/a/b/deep.git"), f.repo("base/1/2/3/4/5/6/7/8.git")
	f.repo("base/1/2/3/4/5/6/7/x/9.git")
	composed, decomposed := f.repo("base/caf\u00e9"), f.repo("base/cafe\u0301")
	blank := f.repo("base/with blank")
	c := f.catalog(true)
	for name, want := range map[string]string{
		"work": work, "work.git": work, "bare": bare, "bare.git": bare, "a/b/deep": deep, "a/b/deep.git": deep, "deep": deep, "deep.git": deep,
		"1/2/3/4/5/6/7/8": deepest, "8": deepest, "caf\u00e9": composed, "cafe\u0301": decomposed, "with blank": blank, work: work, deep: deep,
	} {
		f.finds(c, name, want)
	}
	for _, name := range []string{"1/2/3/4/5/6/7/x/9", "9", "a", "a/b", "b/deep", "deep/", strings.ToUpper(work), "123e4567-e89b-12d3-a456-426614174000"} {
		f.misses(c, name)
	}
	if names := f.ambiguous(c, ""); len(names) != 7 || !slices.Contains(names, "a/b/deep") || !slices.Contains(names, "bare") {
		t.Errorf("names %q", names)
	}
	if e := f.finds(c, "deep.git", deep); e.Name != "a/b/deep" || e.Repo.Dir != filepath.Join(f.base, "a", "b", "deep.git") {
		t.Errorf("%s at %s", e.Name, e.Repo.Dir)
	}
	if _, err := os.Stat(filepath.Join(f.base, "WORK")); err != nil { // where the file system tells them apart
		f.misses(c, "WORK")
		f.misses(c, "Bare.git")
	}
}

// Two repositories whose folders have the same name are told apart by their paths, and by their UUIDs where the paths are
// the same but for ".git".
func TestBasePathSameNames(t *testing.T) {
	f := newFolder(t)
	x, y := f.repo("base/x/same"), f.repo("base/y/same.git")
	c := f.catalog(true)
	if names := f.ambiguous(c, "same"); !slices.Equal(names, []string{"x/same", "y/same"}) {
		t.Errorf("names %q", names)
	}
	f.finds(c, "x/same", x)
	f.finds(c, "y/same", y)
	only := func(uuid string) bool { return uuid == y }
	if e, err := c.Find(t.Context(), "same", only); err != nil || e.UUID != y {
		t.Errorf("found %s, %v", e.Name, err)
	}
	if e, err := c.Find(t.Context(), "", only); err != nil || e.UUID != y {
		t.Errorf("found %s, %v", e.Name, err)
	}
	top := f.repo("base/same")
	f.finds(c, "same", top)
	bare := f.repo("base/same.git")
	f.finds(c, "same", top)
	f.finds(c, "same.git", bare)
	if names := f.ambiguous(c, ""); !slices.Equal(names, []string{top, bare, "x/same", "y/same"}) {
		t.Errorf("names %q", names)
	}
}

func TestBasePathIsARepository(t *testing.T) {
	f := newFolder(t)
	f.repo("base/proj")
	f.repo("base/bare.git")
	file := filepath.Join(f.home, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(f.base, "proj"), filepath.Join(f.base, "proj", ".git"), filepath.Join(f.base, "bare.git"), file, filepath.Join(f.base, "nothing")} {
		if _, err := serve.NewBaseCatalog(dir, true); err == nil {
			t.Errorf("%s is taken for a folder of repositories", dir)
		}
	}
}

// A folder whose name can't be said is served by its UUID alone.
func TestBasePathUnspeakable(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not every system has folders of such names")
	}
	f := newFolder(t)
	for _, name := range []string{"-x", "a\xff", "tab\tname", `back\slash`} {
		uuid := f.repo("base/" + name)
		c := f.catalog(true)
		f.misses(c, name)
		if e := f.finds(c, uuid, uuid); e.Name != uuid {
			t.Errorf("%q is called %q", name, e.Name)
		}
	}
}
