package serve

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/protocol"
)

const (
	// maxServed is how many repositories one server offers.
	maxServed = 10_000
	// maxDepth is how deep repositories lie under a base path.
	maxDepth = 8
)

// An Entry is one repository that is served.
type Entry struct {
	Repo *repo.Repo
	UUID string
	// Name is what peers call it: given, the path under the base path, or the folder's own.
	Name string
	// aliases are other names that it may be asked for.
	aliases []string
}

// A Catalog knows which repositories are served, by name and UUID.
type Catalog struct {
	fixed     []Entry
	basePath  string
	exportAll bool
}

// NewCatalog opens the repositories at paths. A name, for a single one, replaces that of its folder.
func NewCatalog(ctx context.Context, paths []string, name string) (*Catalog, error) {
	c := &Catalog{}
	for _, p := range paths {
		e, err := openEntry(ctx, p, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		c.fixed = append(c.fixed, e)
	}
	return c, nil
}

// NewBaseCatalog serves what lies under a folder: every repository, or those with xmpp.export=true.
func NewBaseCatalog(basePath string, exportAll bool) (*Catalog, error) {
	info, err := os.Stat(basePath)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: not a folder", basePath)
	}
	return &Catalog{basePath: basePath, exportAll: exportAll}, nil
}

func openEntry(ctx context.Context, p, name string) (Entry, error) {
	r, err := repo.Open(ctx, p)
	if err != nil {
		return Entry{}, err
	}
	id, err := r.UUID(ctx)
	if err != nil {
		return Entry{}, err
	}
	if name == "" || !ValidName(name) {
		name = DefaultName(r, id)
	}
	return Entry{Repo: r, UUID: id, Name: name, aliases: []string{FolderName(r)}}, nil
}

// ValidName tells whether peers can be told of a repository by this name: a plain relative path (SPEC.md of package protocol).
func ValidName(name string) bool {
	probe := &protocol.Open{Service: protocol.UploadPack, Repository: name}
	return name != "" && protocol.Write(io.Discard, probe) == nil
}

// DefaultName is the name of a repository that was given none: its folder's, or its UUID if peers can't be told that.
func DefaultName(r *repo.Repo, uuid string) string {
	if name := FolderName(r); ValidName(name) {
		return name
	}
	return uuid
}

// FolderName is what a repository is called without any other name: that of its work tree's or
// bare folder, without ".git".
func FolderName(r *repo.Repo) string {
	dir := r.Dir
	if filepath.Base(dir) == ".git" {
		dir = filepath.Dir(dir)
	}
	return strings.TrimSuffix(filepath.Base(dir), ".git")
}

// Entries lists what is served now.
func (c *Catalog) Entries(ctx context.Context) ([]Entry, error) {
	if c.basePath == "" {
		return c.fixed, nil
	}
	return c.scan(ctx)
}

// scan finds the repositories under the base path. Symbolic links aren't followed: there is no way out of the folder.
func (c *Catalog) scan(ctx context.Context) ([]Entry, error) {
	root, err := os.OpenRoot(c.basePath)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var entries []Entry
	err = fs.WalkDir(root.FS(), ".", func(rel string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil || !d.IsDir():
			return nil //nolint:nilerr // what can't be read isn't served
		case strings.Count(rel, "/") >= maxDepth:
			return fs.SkipDir
		case len(entries) >= maxServed:
			return fs.SkipAll
		case !looksLikeRepository(root, rel):
			return nil
		}
		if e, ok := c.exported(ctx, rel); ok {
			entries = append(entries, e)
		}
		return fs.SkipDir
	})
	return entries, err
}

func looksLikeRepository(root *os.Root, rel string) bool {
	for _, marker := range []string{".git/HEAD", "HEAD"} {
		info, err := root.Lstat(path.Join(rel, marker))
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if marker == ".git/HEAD" {
			return true
		}
		objects, err := root.Lstat(path.Join(rel, "objects"))
		return err == nil && objects.IsDir()
	}
	return false
}

// exported opens a repository under the base path if it is to be served.
func (c *Catalog) exported(ctx context.Context, rel string) (Entry, bool) {
	dir := filepath.Join(c.basePath, filepath.FromSlash(rel))
	if !c.exportAll {
		settings, err := config.Load(ctx, dir, repo.Environ())
		if err != nil || !settings.Export {
			return Entry{}, false
		}
	}
	e, err := openEntry(ctx, dir, strings.TrimSuffix(rel, ".git"))
	return e, err == nil
}

// Find returns the entry of a name or UUID among those that may is true for. Without a name
// it is the only one. The error is a *protocol.Refuse that says no more than the peer may know.
func (c *Catalog) Find(ctx context.Context, name string, may func(uuid string) bool) (Entry, error) {
	entries, err := c.Entries(ctx)
	if err != nil {
		return Entry{}, fmt.Errorf("list the repositories: %w", err)
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return !may(e.UUID) })
	for _, match := range []func(Entry) bool{
		func(e Entry) bool { return name == "" || e.UUID == name },
		func(e Entry) bool { return e.Name == strings.TrimSuffix(name, ".git") || e.Name == name },
		func(e Entry) bool { return slices.Contains(e.aliases, strings.TrimSuffix(name, ".git")) },
	} {
		found := slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return !match(e) })
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return Entry{}, ambiguous(found)
		}
	}
	return Entry{}, &protocol.Refuse{Code: protocol.CodeNoRepository}
}

// ambiguous names what there is to choose from: names, or UUIDs where names are the same.
func ambiguous(found []Entry) error {
	refusal := &protocol.Refuse{Code: protocol.CodeAmbiguous}
	count := make(map[string]int)
	for _, e := range found {
		count[e.Name]++
	}
	for _, e := range found[:min(len(found), protocol.MaxNames)] {
		name := e.Name
		if count[name] > 1 {
			name = e.UUID
		}
		refusal.Names = append(refusal.Names, name)
	}
	return refusal
}
