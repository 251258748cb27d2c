package serve

import (
	"context"
	"io"
	"path/filepath"
	"strings"

	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/protocol"
)

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
	return strings.TrimSuffix(filepath.Base(topFolder(r.Dir)), ".git")
}

// topFolder is the folder that people take for the repository: its work tree's, or the bare one.
func topFolder(gitDir string) string {
	if filepath.Base(gitDir) == ".git" {
		return filepath.Dir(gitDir)
	}
	return gitDir
}

// spellings are the paths that a name can mean, in the order of git's own servers: as it is, and with ".git". A name
// with ".git" means the repository without it too.
func spellings(name string) []string {
	list := []string{name, name + ".git"}
	if bare, ok := strings.CutSuffix(name, ".git"); ok && bare != "" {
		list = append(list, bare)
	}
	return list
}

// Served says what a serve offers under which names, for whoever gives out URLs beside it.
type Served struct {
	BasePath string            `json:"basePath,omitempty"`
	Names    map[string]string `json:"names,omitempty"` // by UUID
}

// Served describes the catalog.
func (c *Catalog) Served(ctx context.Context) Served {
	if c.base != nil {
		return Served{BasePath: c.base.dir}
	}
	s := Served{Names: make(map[string]string)}
	count := make(map[string]int)
	places := c.only(ctx, c.fixed, func(p place) bool { count[p.name]++; return true })
	for _, p := range places {
		if count[p.name] == 1 {
			s.Names[p.uuid] = p.name
		}
	}
	return s
}

// NameOf returns the name of a repository that means no other one there. There is none for what isn't served, or has a name like another.
func (s Served) NameOf(r *repo.Repo, uuid string) (name string, ok bool) {
	if name := s.Names[uuid]; ValidName(name) {
		return name, true
	}
	if s.BasePath == "" {
		return "", false
	}
	rel, err := filepath.Rel(s.BasePath, topFolder(r.Dir))
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	base, rel := baseFolder{dir: s.BasePath}, filepath.ToSlash(rel)
	for _, name := range []string{strings.TrimSuffix(rel, ".git"), rel} {
		if ValidName(name) && base.means(name, r.Dir) {
			return name, true
		}
	}
	return "", false
}

// means tells whether a name is that of the repository in a git dir.
func (b *baseFolder) means(name, gitDir string) bool {
	for _, rel := range spellings(name) {
		if p, ok := b.at(rel); ok {
			return p.holds(gitDir)
		}
	}
	return false
}
