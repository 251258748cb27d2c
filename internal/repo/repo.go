// Package repo is the git side of the program: finding a repository, naming it
// by a UUID, running git's services on it for a peer, deciding what a received
// push does to its branches, and keeping a record of who sent it.
//
// Real git does git's work; this package only says how it is called. It must
// not know XMPP, streams or the frames of the protocol: a peer is a [Sender],
// a checked set of strings, and data flows through whatever pipes the caller
// gives to the prepared command.
package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotRepository says that there is no git repository where one was asked for.
var ErrNotRepository = errors.New("not a git repository")

// Repo is one git repository on this machine. It is safe for use by several
// goroutines and holds nothing open.
type Repo struct {
	// Dir is the absolute path of the git dir; of the common one if there
	// are linked work trees.
	Dir string
	// Bare is true if the repository has no main work tree.
	Bare bool

	env []string // what git is run with; never GIT_DIR and its kin
}

// Open opens the repository at path, which is the top of a work tree (also of a
// linked one), a bare repository or a git dir itself. It does not look for one
// in the folders above, so a plain folder inside a repository is not taken for
// it. The error is [ErrNotRepository] if git finds none.
func Open(ctx context.Context, path string) (*Repo, error) {
	path, err := realPath(path)
	if err != nil {
		return nil, ErrNotRepository
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		if filepath.Base(path) != ".git" {
			return nil, ErrNotRepository
		}
		path = filepath.Dir(path) // the link in a linked work tree or submodule
	}
	// A bare repository that is named is no surprise, which that setting guards against.
	r, here, err := find(ctx, path, Environ(), "-c", "safe.bareRepository=all")
	if err == nil && !here {
		err = ErrNotRepository
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// FromEnv opens the repository that this process stands in: the one that
// GIT_DIR names, as git sets it for a remote helper, or else the one around the
// working directory. Git is run with the environment as it is, less what is secret in it, so what
// `git -c` set holds. The error is [ErrNotRepository] if there is none, as in
// `git clone` before it has made one.
func FromEnv(ctx context.Context) (*Repo, error) {
	return fromEnviron(ctx, without(os.Environ(), isSecret))
}

func fromEnviron(ctx context.Context, environ []string) (*Repo, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the repository: %w", err)
	}
	r, _, err := find(ctx, dir, environ)
	if err != nil {
		return nil, fmt.Errorf("find the repository: %w", err)
	}
	return r, nil
}

// find asks git for the repository that environ names or that dir lies in. here
// is true if dir is the top of its work tree or its git dir.
func find(ctx context.Context, dir string, environ []string, options ...string) (r *Repo, here bool, err error) {
	out, err := run(ctx, dir, environ, nil, append(options, "rev-parse",
		"--git-dir", "--git-common-dir", "--is-inside-git-dir", "--show-prefix")...)
	if err != nil {
		if exitStatus(err) > 0 {
			return nil, false, fmt.Errorf("%w (%w)", ErrNotRepository, err)
		}
		return nil, false, err
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) == 3 { // git has no prefix to show outside of a work tree
		lines = append(lines, "")
	}
	if len(lines) != 4 {
		return nil, false, fmt.Errorf("%w that this program can name", ErrNotRepository)
	}
	gitDir, inside, prefix := absolute(dir, lines[0]), lines[2] == "true", lines[3]
	common, err := realPath(absolute(dir, lines[1]))
	if err != nil {
		return nil, false, err
	}
	r = &Repo{Dir: common, env: without(environ, isLocalVariable)}
	bare, err := r.git(ctx, nil, "rev-parse", "--is-bare-repository")
	if err != nil {
		return nil, false, err
	}
	r.Bare = strings.TrimSpace(bare) == "true"
	here = !inside && prefix == ""
	if inside {
		real, err := realPath(gitDir)
		here = err == nil && real == dir
	}
	return r, here, nil
}

// absolute is a path that git has printed in dir. Git's own --path-format is too new (2.31).
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// realPath is path, absolute and without symbolic links.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path, err
	}
	return filepath.EvalSymlinks(abs)
}
