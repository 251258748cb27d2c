package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	// maxServed is how many repositories are looked for under a base path.
	maxServed = 10_000
	// maxDepth is how deep repositories lie under a base path.
	maxDepth = 8
)

// A baseFolder is a folder of repositories. There is no way out of it, and none into what a repository holds: files of a
// work tree may come from anybody who pushes, and could look like a repository with hooks.
type baseFolder struct {
	dir       string // absolute, without symbolic links
	exportAll bool
	walking   chan struct{} // one walk at a time
}

func newBaseFolder(dir string, exportAll bool) (*baseFolder, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, err
	}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s: not a folder", dir)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if _, kind := look(root, "."); kind != plainFolder {
		return nil, fmt.Errorf("%s: a repository, not a folder of repositories: name it without --base-path", dir)
	}
	return &baseFolder{dir: abs, exportAll: exportAll, walking: make(chan struct{}, 1)}, nil
}

// What a folder is.
type folderKind int

const (
	plainFolder folderKind = iota
	repository
	// closedFolder is served as little as what lies below it: a linked work tree, a submodule's, a repository with symbolic
	// links where git looks first.
	closedFolder
)

// look says what the folder rel is, and where the git dir is if it is a repository. Symbolic links aren't followed.
func look(root *os.Root, rel string) (gitDir string, kind folderKind) {
	dot := path.Join(rel, ".git")
	info, err := root.Lstat(dot)
	switch {
	case err == nil && info.IsDir():
		gitDir = dot
	case !errors.Is(err, fs.ErrNotExist):
		return "", closedFolder
	case hasAll(root, rel, anyMode, "HEAD", "objects", "refs"):
		gitDir = rel
	default:
		return "", plainFolder
	}
	if !hasAll(root, gitDir, fs.FileMode.IsRegular, "HEAD", "config") || !hasAll(root, gitDir, fs.FileMode.IsDir, "objects", "refs") ||
		hasAll(root, gitDir, anyMode, "commondir") {
		return "", closedFolder
	}
	return gitDir, repository
}

func anyMode(fs.FileMode) bool { return true }

// hasAll tells whether a folder has all these files, each of a mode that is right.
func hasAll(root *os.Root, dir string, right func(fs.FileMode) bool, names ...string) bool {
	for _, name := range names {
		info, err := root.Lstat(path.Join(dir, name))
		if err != nil || !right(info.Mode()) {
			return false
		}
	}
	return true
}

// at returns the repository of a relative path. Each folder on the way is looked at: none may be a symbolic link, or a
// repository itself.
func (b *baseFolder) at(rel string) (place, bool) {
	parts := strings.Split(rel, "/")
	if len(parts) > maxDepth || !filepath.IsLocal(filepath.FromSlash(rel)) {
		return place{}, false
	}
	root, err := os.OpenRoot(b.dir)
	if err != nil {
		return place{}, false
	}
	defer root.Close()
	for i, part := range parts {
		here := path.Join(parts[:i+1]...)
		info, err := root.Lstat(here)
		if err != nil || !info.IsDir() || isDotGit(part) {
			return place{}, false
		}
		gitDir, kind := look(root, here)
		if kind == plainFolder {
			continue
		}
		if kind == repository && here == rel {
			return b.place(root, rel, gitDir)
		}
		break
	}
	return place{}, false
}

// isDotGit tells ".git" in any case: on some systems that is the same folder.
func isDotGit(name string) bool { return strings.EqualFold(name, ".git") }

func (b *baseFolder) place(root *os.Root, rel, gitDir string) (place, bool) {
	info, err := root.Lstat(gitDir)
	if err != nil || !info.IsDir() {
		return place{}, false
	}
	name := strings.TrimSuffix(rel, ".git")
	p := place{gitDir: filepath.Join(b.dir, filepath.FromSlash(gitDir)), info: info, folder: path.Base(name)}
	if ValidName(name) {
		p.name = name
	}
	return p, true
}

// walk finds the repositories, at most maxServed. What can't be read isn't served.
func (b *baseFolder) walk(ctx context.Context) ([]place, error) {
	select {
	case b.walking <- struct{}{}:
		defer func() { <-b.walking }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	root, err := os.OpenRoot(b.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var found []place
	err = fs.WalkDir(root.FS(), ".", func(rel string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil || !d.IsDir() || rel == ".":
			return nil //nolint:nilerr // what can't be read isn't served
		case strings.Count(rel, "/") >= maxDepth || isDotGit(d.Name()):
			return fs.SkipDir
		case len(found) >= maxServed:
			return fs.SkipAll
		}
		gitDir, kind := look(root, rel)
		if kind == plainFolder {
			return nil
		}
		if p, ok := b.place(root, rel, gitDir); ok && kind == repository {
			found = append(found, p)
		}
		return fs.SkipDir
	})
	return found, err
}
