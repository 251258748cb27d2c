package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// procReceive is the hook to which receive-pack leaves the update of refs
// (githooks(5)).
const procReceive = "proc-receive"

// hookName is what git's hooks are called.
var hookName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// ownHooks returns the absolute path of the repository's own hooks folder,
// which need not exist. A relative core.hooksPath counts from where
// receive-pack runs its hooks, the git dir.
func (r *Repo) ownHooks(ctx context.Context) (string, error) {
	out, err := r.git(ctx, nil, "rev-parse", "--git-path", "hooks")
	if err != nil {
		return "", err
	}
	return absolute(r.Dir, strings.TrimSuffix(out, "\n")), nil
}

// hooksIn returns the names of the hooks that git would run from a folder,
// sorted.
func hooksIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), exeSuffix)
		if hookName.MatchString(name) && findHook(dir, name) != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// findHook returns the path of a hook that git would run from dir, or "".
func findHook(dir, name string) string {
	for _, file := range slices.Compact([]string{name, name + exeSuffix}) {
		path := filepath.Join(dir, file)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && isExecutable(info) {
			return path
		}
	}
	return ""
}

// ourHooks are the hooks that we need in a push: to take it in, and to note what it has changed.
func ourHooks(receives, told bool) (names []string) {
	if receives {
		names = append(names, procReceive)
	}
	if told {
		names = append(names, postReceive)
	}
	return names
}

// shims returns a folder in which this executable stands under the name of
// every hook that the folder own has, and of those that are ours.
// Only hooks that exist, for git runs some of them several times in a push.
func (h HooksDir) shims(own string, ours ...string) (string, error) {
	if h == "" {
		return "", errors.New("no folder for hooks given")
	}
	names, err := hooksIn(own)
	if err != nil {
		return "", fmt.Errorf("hooks: %w", err)
	}
	names = append(names, ours...)
	slices.Sort(names)
	return h.folder(slices.Compact(names))
}

// helperName is what git calls the helper for our URLs.
const helperName = "git-remote-xmpp"

// helper returns a folder in which this executable stands under the name of git's helper.
func (h HooksDir) helper() (string, error) {
	if h == "" {
		return "", errors.New("no folder for the helper given")
	}
	return h.folder([]string{helperName})
}

// base is where all of these folders are.
func (h HooksDir) base() (string, error) { return filepath.Abs(filepath.Join(string(h), "hooks")) }

// folder returns a folder in which this executable stands under these names.
func (h HooksDir) folder(names []string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("hooks: %w", err)
	}
	base, err := h.base()
	if err != nil {
		return "", fmt.Errorf("hooks: %w", err)
	}
	dir, err := ensureShims(base, exe, names)
	if err != nil {
		return "", fmt.Errorf("hooks: %w", err)
	}
	return dir, nil
}

// ensureShims makes the folder below base that has exe under exactly these
// names, unless it is there. It appears complete or not at all.
func ensureShims(base, exe string, names []string) (string, error) {
	id, err := identify(exe)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(id + "\x00" + strings.Join(names, "\x00")))
	dir := filepath.Join(base, hex.EncodeToString(sum[:16]))
	if complete(dir, exe, names) {
		return dir, nil
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(base, ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp) // of no effect once it is renamed
	for _, name := range names {
		if err := link(exe, filepath.Join(temp, name+exeSuffix)); err != nil {
			return "", err
		}
	}
	err = os.Rename(temp, dir)
	if err == nil || complete(dir, exe, names) { // another process was faster
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil { // somebody has taken links away
		return "", err
	}
	return dir, os.Rename(temp, dir)
}

// complete reports whether dir has exe under exactly these names.
func complete(dir, exe string, names []string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(names) {
		return false
	}
	return !slices.ContainsFunc(names, func(name string) bool {
		return !isLinkTo(exe, filepath.Join(dir, name+exeSuffix))
	})
}
