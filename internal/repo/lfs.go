package repo

import (
	"context"
	"path/filepath"
)

// LFSDir is the folder in which git-lfs keeps what it has of this repository.
func (r *Repo) LFSDir(ctx context.Context) (string, error) {
	values, err := r.config(ctx, "lfs.storage")
	if err != nil {
		return "", err
	}
	dir := "lfs"
	if len(values) > 0 && values[len(values)-1] != "" {
		dir = filepath.FromSlash(values[len(values)-1])
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(r.Dir, dir)
	}
	return dir, nil
}
