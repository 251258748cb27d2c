package repo

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// oldest is the oldest git that takes in pushes: before, receive-pack had no proc-receive hook (2.29), or nobody has tried.
var oldest = version{2, 30}

// A version of git.
type version struct{ major, minor int }

func (v version) before(other version) bool {
	return v.major < other.major || v.major == other.major && v.minor < other.minor
}

// parseVersion reads what `git version` says: "git version 2.39.5 (Apple Git-154)". A git with other words is taken for a new one.
func parseVersion(said string) (v version, text string) {
	text, ok := strings.CutPrefix(said, "git version ")
	if n, _ := fmt.Sscanf(text, "%d.%d", &v.major, &v.minor); !ok || n != 2 {
		return version{math.MaxInt, 0}, said
	}
	text, _, _ = strings.Cut(text, " ")
	return v, text
}

// Version is that of the git that we run.
func Version(ctx context.Context) (string, error) {
	out, err := run(ctx, "", Environ(), nil, "version")
	_, text := parseVersion(firstLine(out))
	return text, err
}

// CheckVersion returns an error if git is too old to serve repositories with.
func CheckVersion(ctx context.Context) error {
	out, err := run(ctx, "", Environ(), nil, "version")
	if err != nil {
		return err
	}
	return checkVersion(firstLine(out))
}

func checkVersion(said string) error {
	v, text := parseVersion(said)
	if !v.before(oldest) {
		return nil
	}
	return fmt.Errorf("git %s is too old to serve repositories with: that takes %d.%d or newer", text, oldest.major, oldest.minor)
}

// olderThan reports whether the git that is run for the repository is older than a version.
func (r *Repo) olderThan(ctx context.Context, v version) (bool, error) {
	out, err := r.git(ctx, nil, "version")
	have, _ := parseVersion(firstLine(out))
	return have.before(v), err
}
