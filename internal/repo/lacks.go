package repo

import (
	"context"
	"slices"
	"strings"
)

// Lacks reports whether at least one of the commits, given by their object ids, can't be reached from the repository's refs.
// One that is there and isn't reached counts as lacking: git may take it away, and nobody sees it.
func (r *Repo) Lacks(ctx context.Context, commits []string) (bool, error) {
	if len(commits) == 0 {
		return false, nil
	}
	format, err := r.git(ctx, nil, "rev-parse", "--show-object-format")
	if err != nil {
		return false, err
	}
	length := map[string]int{"sha1": 40, "sha256": 64}[strings.TrimSpace(format)]
	if slices.ContainsFunc(commits, func(id string) bool { return !isObjectID(id) || len(id) != length }) {
		return true, nil // of another format: nothing like it can be here
	}
	known, err := r.present(ctx, strings.Join(commits, "\n")+"\n")
	if err != nil || len(known) < len(slices.Compact(slices.Sorted(slices.Values(commits)))) {
		return err == nil, err
	}
	args := []string{"rev-list", "--max-count=1", "--stdin", "--not", "--all"}
	out, err := r.git(ctx, strings.NewReader(strings.Join(commits, "\n")+"\n"), args...)
	return out != "", err
}
