package serve

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"git-remote-xmpp/internal/repo"
)

const (
	// maxKnown is how many repositories a cache knows; then it begins anew.
	maxKnown = 2 * maxServed
	// racyTime is how long after a change a file's time doesn't tell a second one: two seconds on FAT, less elsewhere.
	racyTime = 2 * time.Second
	// maxConfigBytes is how much of a configuration file is read to see whether it is worth asking git about it.
	maxConfigBytes = 1 << 20
)

// A repoCache knows what git said of repositories, so that a git process is needed only where the configuration file has
// changed. Only that is kept which no other file can change. The zero value is ready for use.
type repoCache struct {
	mu    sync.Mutex
	known map[string]known // by git dir
}

type known struct {
	config fs.FileInfo // of the configuration file, before it was read
	uuid   string
	repo   *repo.Repo // nil until it was opened
}

// uuid returns the UUID of the repository in a git dir. It is empty if it has none, or none that can be read.
func (c *repoCache) uuid(ctx context.Context, gitDir string) string {
	path := filepath.Join(gitDir, "config")
	config, err := os.Stat(path)
	if err != nil || !config.Mode().IsRegular() {
		return ""
	}
	if k, ok := c.get(gitDir, config); ok {
		return k.uuid
	}
	settled := time.Since(config.ModTime()) > racyTime
	id := ""
	if mayHaveUUID(path) {
		if id, err = repo.ReadUUID(ctx, gitDir); err != nil {
			return ""
		}
	}
	if settled {
		c.put(gitDir, known{config: config, uuid: id})
	}
	return id
}

// open returns the repository in a git dir. git is asked each time about one that belongs to somebody else, or may: whether it
// works there is up to settings of ours (safe.directory).
func (c *repoCache) open(ctx context.Context, gitDir string) (*repo.Repo, error) {
	config, err := os.Stat(filepath.Join(gitDir, "config"))
	if err != nil {
		return nil, repo.ErrNotRepository
	}
	k, ok := c.get(gitDir, config)
	if ok && k.repo != nil && ownedByUs(gitDir) {
		return k.repo, nil
	}
	r, err := repo.Open(ctx, gitDir)
	if ok && err == nil {
		k.repo = r
		c.put(gitDir, k)
	}
	return r, err
}

// get returns what is known, as long as the configuration file is the same.
func (c *repoCache) get(gitDir string, config fs.FileInfo) (known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.known[gitDir]
	return k, ok && os.SameFile(k.config, config) && k.config.ModTime().Equal(config.ModTime()) && k.config.Size() == config.Size()
}

func (c *repoCache) put(gitDir string, k known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxKnown {
		c.known = make(map[string]known)
	}
	c.known[gitDir] = k
}

// mayHaveUUID spares git most of the repositories that nobody was ever invited to: the name of a setting stands in the file as it is.
func mayHaveUUID(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes))
	return err == nil && (len(text) == maxConfigBytes || bytes.Contains(bytes.ToLower(text), []byte("uuid")))
}
