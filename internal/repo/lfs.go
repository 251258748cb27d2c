package repo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// LFSDir is the folder in which git-lfs keeps what it has of this repository.
func (r *Repo) LFSDir(ctx context.Context) (string, error) {
	dir, err := r.Setting(ctx, "lfs.storage")
	if err != nil {
		return "", err
	}
	if dir = filepath.FromSlash(dir); dir == "" {
		dir = "lfs"
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(r.Dir, dir)
	}
	return dir, nil
}

// maxHookBytes is how much of a hook is read.
const maxHookBytes = 64 << 10

// PushesLFS reports whether git push runs the hook of Git LFS that uploads objects.
func (r *Repo) PushesLFS(ctx context.Context) (bool, error) {
	hooks, err := r.ownHooks(ctx)
	if err != nil {
		return false, err
	}
	f, err := os.Open(filepath.Join(hooks, "pre-push"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxHookBytes))
	return bytes.Contains(text, []byte("git lfs pre-push")), err
}

// Setting is the value of a setting, the last one; empty if it isn't set.
func (r *Repo) Setting(ctx context.Context, key string) (string, error) {
	values, err := r.config(ctx, key)
	if err != nil || len(values) == 0 {
		return "", err
	}
	return values[len(values)-1], nil
}
