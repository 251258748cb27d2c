package repo

import (
	"context"
	"slices"
	"strings"

	"git-remote-xmpp/internal/pushcmd"
)

// diverged returns which of another repository's branches hold what isn't in what
// is going to be pushed there.
func (r *Repo) diverged(ctx context.Context, theirs map[string]string, ask *pushcmd.Push, remote string) (map[string]bool, error) {
	diverged := make(map[string]bool)
	if len(theirs) == 0 {
		return diverged, nil
	}
	sources, err := r.pushSources(ctx, theirs, ask, remote)
	if err != nil {
		return nil, err
	}
	present, err := r.presentBehind(ctx, theirs, sources)
	if err != nil {
		return nil, err
	}
	for ref, commits := range sources {
		for _, ours := range commits {
			if ours == theirs[ref] || diverged[ref] {
				continue
			}
			behind := ours != "" && present[theirs[ref]]
			if behind {
				if behind, err = r.isAncestor(ctx, theirs[ref], ours); err != nil {
					return nil, err
				}
			}
			diverged[ref] = !behind
		}
	}
	return diverged, nil
}

// presentBehind returns which of their values are here, of the branches where it matters.
func (r *Repo) presentBehind(ctx context.Context, theirs map[string]string, sources map[string][]string) (map[string]bool, error) {
	var ids strings.Builder
	for ref, commits := range sources {
		if slices.ContainsFunc(commits, func(ours string) bool { return ours != "" && ours != theirs[ref] }) {
			ids.WriteString(theirs[ref] + "\n")
		}
	}
	return r.present(ctx, ids.String())
}

// pushSources returns, for the branches of another repository that a push may
// want to bring up to date, the commits that may go there; "" is one that isn't known.
// Branches that aren't pushed, or by force, with a lease or to be deleted, are not among them.
func (r *Repo) pushSources(ctx context.Context, theirs map[string]string, ask *pushcmd.Push, remote string) (map[string][]string, error) {
	ours, err := r.refs(ctx, headsPrefix)
	if err != nil {
		return nil, err
	}
	sources := make(map[string][]string)
	if ask == nil {
		for ref := range theirs {
			sources[ref] = []string{ours[ref]}
		}
		return sources, nil
	}
	specs, err := r.pushSpecs(ctx, ask, remote)
	if err != nil {
		return nil, err
	}
	for ref := range theirs {
		if leased(ask, ref) {
			continue
		}
		if sources[ref], err = r.sourcesOf(ctx, ref, specs, ours); err != nil {
			return nil, err
		}
	}
	return sources, nil
}

// sourcesOf returns the commits that may go to a branch; ours are the local branches.
func (r *Repo) sourcesOf(ctx context.Context, ref string, specs []pushSpec, ours map[string]string) ([]string, error) {
	var commits []string
	for _, s := range specs {
		src, ok := s.sourceFor(ref)
		if !ok {
			continue
		}
		if s.exact {
			return nil, nil
		}
		id, err := r.commitNamed(ctx, ours, src)
		if err != nil {
			return nil, err
		}
		if id != "" {
			commits = append(commits, id)
		}
	}
	return commits, nil
}

// leased reports whether a push has a lease for a branch.
func leased(ask *pushcmd.Push, ref string) bool {
	return ask.LeaseAll || slices.ContainsFunc(ask.Leases, func(name string) bool { return namesBranch(name, ref) })
}

// commitNamed returns the commit that a refspec's source names, "" if there is
// none; branches are the local ones.
func (r *Repo) commitNamed(ctx context.Context, branches map[string]string, src string) (string, error) {
	for _, prefix := range []string{"", "refs/", headsPrefix} {
		if id := branches[prefix+src]; id != "" {
			return id, nil
		}
	}
	if strings.HasPrefix(src, headsPrefix) {
		return "", nil
	}
	out, err := r.git(ctx, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", src+"^{commit}")
	if err != nil && exitStatus(err) > 0 {
		return "", nil // git will say so
	}
	return strings.TrimSpace(out), err
}

// Diverged reports whether neither of two commits is the other or an ancestor of it. One that isn't here has diverged from nothing.
func (r *Repo) Diverged(ctx context.Context, a, b string) (bool, error) {
	present, err := r.present(ctx, a+"\n"+b+"\n")
	if err != nil || !present[a] || !present[b] {
		return false, err
	}
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if forward, err := r.isAncestor(ctx, pair[0], pair[1]); forward || err != nil {
			return false, err
		}
	}
	return true, nil
}
