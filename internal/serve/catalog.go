package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/repo"
	"git-remote-xmpp/protocol"
)

// An Entry is one repository that is served, as it is now.
type Entry struct {
	Repo *repo.Repo
	UUID string
	// Name is what peers call it: given, the path under the base path, or the folder's own.
	Name     string
	Settings config.Settings
}

// A place is where a repository lies, and what is known of it without asking git.
type place struct {
	gitDir string      // absolute
	info   fs.FileInfo // of gitDir, when it was found; nil: whatever is there
	name   string      // as in Entry; empty if peers can't be told it
	folder string      // its folder's own name, by which it may be asked for too
	uuid   string
}

// A Catalog knows which repositories are served, by name and UUID. What changes on disk is seen at once.
type Catalog struct {
	fixed []place
	base  *baseFolder // where there is one, it is all
	cache repoCache
}

// NewCatalog opens the repositories at paths. A name, for a single one, replaces that of its folder.
func NewCatalog(ctx context.Context, paths []string, name string) (*Catalog, error) {
	c := &Catalog{}
	for _, p := range paths {
		r, err := repo.Open(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		id, err := r.UUID(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		called := name
		if !ValidName(called) {
			called = DefaultName(r, id)
		}
		c.fixed = append(c.fixed, place{gitDir: r.Dir, name: called, folder: FolderName(r)})
	}
	return c, nil
}

// NewBaseCatalog serves what lies under a folder: every repository, or those with xmpp.export=true.
func NewBaseCatalog(basePath string, exportAll bool) (*Catalog, error) {
	base, err := newBaseFolder(basePath, exportAll)
	if err != nil {
		return nil, err
	}
	return &Catalog{base: base}, nil
}

// Grows tells whether repositories come and go without a word of the user's to us.
func (c *Catalog) Grows() bool { return c.base != nil }

// Entries lists what is served now.
func (c *Catalog) Entries(ctx context.Context) ([]Entry, error) {
	places, err := c.visible(ctx, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, p := range places {
		if e, err := c.open(ctx, p); err == nil {
			entries = append(entries, e)
		}
	}
	return entries, ctx.Err()
}

// Find returns the entry of a name or UUID among those that may is true for. Without a name
// it is the only one. The error is a *protocol.Refuse that says no more than the peer may know.
func (c *Catalog) Find(ctx context.Context, name string, may func(uuid string) bool) (Entry, error) {
	if name != "" && !ValidName(name) {
		return Entry{}, &protocol.Refuse{Code: protocol.CodeNoRepository}
	}
	if name != "" && !protocol.IsUUID(name) {
		e, err := c.byName(ctx, name, may)
		if !errors.Is(err, protocol.CodeNoRepository) || strings.Contains(name, "/") {
			return e, err
		}
	}
	places, err := c.visible(ctx, may)
	if err != nil {
		return Entry{}, fmt.Errorf("list the repositories: %w", err)
	}
	return c.pick(ctx, slices.DeleteFunc(places, func(p place) bool { return !p.answersTo(name) }))
}

// byName finds a repository by the name that is its own. Under a base path nothing is searched for it.
func (c *Catalog) byName(ctx context.Context, name string, may func(string) bool) (Entry, error) {
	if c.base == nil {
		return c.pick(ctx, c.only(ctx, c.fixed, func(p place) bool {
			return (p.name == name || p.name == strings.TrimSuffix(name, ".git")) && may(p.uuid)
		}))
	}
	for _, rel := range spellings(name) {
		p, ok := c.base.at(rel)
		if !ok {
			continue
		}
		e, err := c.pick(ctx, c.only(ctx, []place{p}, func(p place) bool { return may(p.uuid) }))
		if !errors.Is(err, protocol.CodeNoRepository) {
			return e, err
		}
	}
	return Entry{}, &protocol.Refuse{Code: protocol.CodeNoRepository}
}

// answersTo tells whether a name that is no path means this place: none, its UUID, its name, or its folder's.
func (p place) answersTo(name string) bool {
	return name == "" || name == p.uuid || name == p.name || strings.TrimSuffix(name, ".git") == p.folder
}

// visible lists the repositories that may is true for.
func (c *Catalog) visible(ctx context.Context, may func(string) bool) ([]place, error) {
	places := c.fixed
	if c.base != nil {
		var err error
		if places, err = c.base.walk(ctx); err != nil {
			return nil, err
		}
	}
	return c.only(ctx, places, func(p place) bool { return may(p.uuid) }), ctx.Err()
}

// only returns the places that keep is true for, with their UUIDs. Nobody has access to what has none.
func (c *Catalog) only(ctx context.Context, places []place, keep func(place) bool) []place {
	var kept []place
	for _, p := range places {
		if p.uuid = c.cache.uuid(ctx, p.gitDir); p.uuid == "" {
			continue
		}
		if p.name == "" {
			p.name = p.uuid
		}
		if keep(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// pick opens the one of these that is to be had. Those that aren't served, or that git won't open, are no choice.
func (c *Catalog) pick(ctx context.Context, places []place) (Entry, error) {
	var usable []Entry
	var failure error = &protocol.Refuse{Code: protocol.CodeNoRepository}
	for _, p := range places {
		e, err := c.open(ctx, p)
		switch {
		case err == nil:
			usable = append(usable, e)
		case errors.Is(failure, protocol.CodeNoRepository):
			failure = err
		}
		if ctx.Err() != nil || len(usable) == protocol.MaxNames {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return Entry{}, context.Cause(ctx)
	case len(usable) == 0:
		return Entry{}, failure
	case len(usable) == 1:
		return usable[0], nil
	}
	return Entry{}, ambiguous(usable)
}

// open has git open a repository and asks for its settings: whether it is served isn't remembered, because any file that a
// configuration includes may have changed.
func (c *Catalog) open(ctx context.Context, p place) (Entry, error) {
	r, err := c.cache.open(ctx, p.gitDir)
	switch {
	case ctx.Err() != nil:
		return Entry{}, context.Cause(ctx)
	case errors.Is(err, repo.ErrNotRepository):
		return Entry{}, fmt.Errorf("%w: %w", errUnusable, err)
	case err != nil:
		return Entry{}, err
	case !p.holds(r.Dir):
		return Entry{}, &protocol.Refuse{Code: protocol.CodeNoRepository}
	}
	settings, err := config.Load(ctx, r.Dir, append(repo.Environ(), "GIT_DIR="+r.Dir))
	if err != nil {
		return Entry{}, fmt.Errorf("settings of %s: %w", p.name, err)
	}
	if c.base != nil && !c.base.exportAll && !settings.Export {
		return Entry{}, &protocol.Refuse{Code: protocol.CodeNoRepository}
	}
	return Entry{Repo: r, UUID: p.uuid, Name: p.name, Settings: settings}, nil
}

// errUnusable is what a peer is told of a repository that git refuses to open. Why it does, with the path, is for the log.
var errUnusable error = &protocol.Refuse{
	Code: protocol.CodeRefused,
	Text: "git there refuses to open it, because of its owner (safe.directory) or its configuration: the log of serve says why",
}

// holds tells whether a git dir is the one that was found at this place, and no other has been put there.
func (p place) holds(gitDir string) bool {
	if p.info == nil {
		return true
	}
	info, err := os.Lstat(gitDir)
	return err == nil && os.SameFile(p.info, info)
}

// ambiguous names what there is to choose from: names, or UUIDs where names are the same.
func ambiguous(found []Entry) error {
	refusal := &protocol.Refuse{Code: protocol.CodeAmbiguous}
	count := make(map[string]int)
	for _, e := range found {
		count[e.Name]++
	}
	for _, e := range found {
		name := e.Name
		if count[name] > 1 {
			name = e.UUID
		}
		refusal.Names = append(refusal.Names, name)
	}
	return refusal
}
