package repo

import (
	"context"
	"slices"
	"strings"

	"git-remote-xmpp/internal/refname"
)

const tagsPrefix = "refs/tags/"

// Tip is a ref and its value, as one repository offers it to another.
type Tip struct {
	Ref string // the full name, as the offering repository has it
	ID  string
}

// Tips returns what peers are offered, sorted by name: branches, tags, and the fallback refs that aren't merged, for
// relaying; of several fallback refs that would be relayed under one name, one. What the repository hides from fetches
// (uploadpack.hideRefs, transfer.hideRefs) isn't offered.
func (r *Repo) Tips(ctx context.Context) ([]Tip, error) {
	refs, err := r.refs(ctx, headsPrefix, tagsPrefix, syncedPrefix)
	if err != nil {
		return nil, err
	}
	hidden, err := r.hiddenRefs(ctx, "uploadpack")
	if err != nil {
		return nil, err
	}
	var tips []Tip
	for ref, id := range refs {
		if !strings.HasPrefix(ref, syncedPrefix) && !isHidden(hidden, ref) {
			tips = append(tips, Tip{ref, id})
		}
	}
	if fallback := fallbacksAmong(refs); len(fallback) > 0 {
		if fallback, err = r.unmergedOf(ctx, fallback); err != nil {
			return nil, err
		}
		if fallback, err = r.relayed(ctx, fallback); err != nil {
			return nil, err
		}
		for _, f := range fallback {
			if !isHidden(hidden, f.Ref) {
				tips = append(tips, Tip{f.Ref, f.ID})
			}
		}
	}
	slices.SortFunc(tips, func(a, b Tip) int { return strings.Compare(a.Ref, b.Ref) })
	return tips, nil
}

// relayed returns one of the fallback refs for each branch of each repository that they come from: the newest.
func (r *Repo) relayed(ctx context.Context, all []Fallback) ([]Fallback, error) {
	name := func(f Fallback) [2]string { return [2]string{f.source(), f.Branch} }
	first, ids := make(map[[2]string]Fallback), ""
	for _, f := range all {
		if _, twice := first[name(f)]; !twice {
			first[name(f)] = f
		}
		ids += f.ID + "\n"
	}
	if len(first) == len(all) {
		return all, nil
	}
	out, err := r.git(ctx, strings.NewReader(ids), "rev-list", "--no-walk=sorted", "--stdin")
	if err != nil {
		return nil, err
	}
	newest := strings.Fields(out)
	for _, f := range all {
		if slices.Index(newest, f.ID) < slices.Index(newest, first[name(f)].ID) {
			first[name(f)] = f
		}
	}
	return slices.DeleteFunc(all, func(f Fallback) bool { return first[name(f)] != f }), nil
}

// isHidden reports whether patterns of hideRefs hide a ref: the last one that matches decides (git-config(1)).
func isHidden(patterns []string, ref string) bool {
	for _, pattern := range slices.Backward(patterns) {
		bare, shown := strings.CutPrefix(pattern, "!")
		bare = strings.TrimRight(strings.TrimPrefix(bare, "^"), "/")
		if bare != "" && strings.HasPrefix(ref+"/", bare+"/") {
			return !shown
		}
	}
	return false
}

// refspec is what a tip is pushed with by the repository with the UUID self: a branch or a tag to its like, and by no force; what others have
// pushed here to a record, in the only namespace where the pusher may write. "" is for a tip that isn't pushed.
func (t Tip) refspec(self string) string {
	if !refname.Valid(t.Ref) {
		return ""
	}
	if strings.HasPrefix(t.Ref, headsPrefix) || strings.HasPrefix(t.Ref, tagsPrefix) {
		return t.Ref + ":" + t.Ref
	}
	if f, ok := parseFallback(t.Ref, t.ID); ok {
		return "+" + t.Ref + ":" + syncedPrefix + self + "/" + f.source() + "/" + f.Branch
	}
	return ""
}
