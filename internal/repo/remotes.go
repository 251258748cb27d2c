package repo

import (
	"context"
	"strings"
)

// Remote is a remote of the repository for which git runs this program.
type Remote struct {
	Name string
	URL  string // as git sees it, the first that is pushed to; it may hold the secret of an invite
}

// Remotes returns the repository's remotes whose URL for pushing is this program's, sorted by name.
func (r *Repo) Remotes(ctx context.Context) ([]Remote, error) {
	out, err := r.git(ctx, nil, "remote", "-v")
	if err != nil {
		return nil, err
	}
	var remotes []Remote
	seen := make(map[string]bool)
	for line := range strings.Lines(out) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		url, push := strings.CutSuffix(rest, " (push)")
		if !push || seen[name] {
			continue
		}
		seen[name] = true
		if isOurURL(url) {
			remotes = append(remotes, Remote{name, url})
		}
	}
	return remotes, nil
}
