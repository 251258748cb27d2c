package repo

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"git-remote-xmpp/internal/refname"
	"github.com/google/uuid"
)

// Fallback is a fallback ref, refs/synced/<client>[.<n>]/[<origin>/]<branch>: commits that were pushed to a branch and went
// beside it. With an origin it is a record: the client has relayed what it keeps for another repository. Nobody merges a
// record by itself; it goes when the branch has its commits. (A branch whose name begins with a UUID is taken for one.)
type Fallback struct {
	Ref    string
	Client string // UUID of the repository that has pushed it here
	Origin string // UUID of the repository that the commits came from, if the client relayed them; otherwise ""
	Branch string // without refs/heads/
	ID     string
}

// parseFallback reads the name of a fallback ref.
func parseFallback(ref, id string) (f Fallback, ok bool) {
	space, name, _ := strings.Cut(strings.TrimPrefix(ref, syncedPrefix), "/")
	client, _, _ := strings.Cut(space, ".")
	if !refname.Valid(ref) || name == "" || !isUUID(client) || !slices.Contains(Sender{UUID: client}.namespaces(), syncedPrefix+space) {
		return Fallback{}, false
	}
	f = Fallback{Ref: ref, Client: client, Branch: name, ID: id}
	if origin, branch, _ := strings.Cut(name, "/"); branch != "" && isUUID(origin) {
		f.Origin, f.Branch = origin, branch
	}
	return f, true
}

// source is the UUID of the repository that the commits came from.
func (f Fallback) source() string { return cmp.Or(f.Origin, f.Client) }

// isUUID reports whether s is a UUID in lower case.
func isUUID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

// fallbackRefs returns all fallback refs, sorted by their names.
func (r *Repo) fallbackRefs(ctx context.Context) ([]Fallback, error) {
	refs, err := r.refs(ctx, syncedPrefix)
	return fallbacksAmong(refs), err
}

func fallbacksAmong(refs map[string]string) []Fallback {
	var all []Fallback
	for ref, id := range refs {
		if f, ok := parseFallback(ref, id); ok {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b Fallback) int { return strings.Compare(a.Ref, b.Ref) })
	return all
}

// maxUnmergedBranches bounds how many branches Unmerged looks at: one git process each.
const maxUnmergedBranches = 256

// Unmerged returns the fallback refs that hold what their branches don't, records among them, sorted by name.
// If there are no fallback refs it costs one git process.
func (r *Repo) Unmerged(ctx context.Context) ([]Fallback, error) {
	all, err := r.fallbackRefs(ctx)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return r.unmergedOf(ctx, all)
}

func (r *Repo) unmergedOf(ctx context.Context, all []Fallback) ([]Fallback, error) {
	merged, err := r.merged(ctx, all, maxUnmergedBranches)
	return slices.DeleteFunc(all, func(f Fallback) bool { return merged[f.Ref] == f.ID }), err
}

// merged returns the values of those fallback refs that hold nothing that their branches don't, of at most limit branches, taken at random.
func (r *Repo) merged(ctx context.Context, all []Fallback, limit int) (map[string]string, error) {
	branches := make(map[string]bool)
	for _, f := range all {
		branches[f.Branch] = true
	}
	merged, seen := make(map[string]string), 0
	for branch := range branches {
		if seen++; seen > limit {
			break
		}
		if err := r.mergedInto(ctx, branch, merged); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// mergedInto adds the fallback refs for a branch that hold nothing that the branch doesn't.
func (r *Repo) mergedInto(ctx context.Context, branch string, merged map[string]string) error {
	out, err := r.git(ctx, nil, "for-each-ref", "--format=%(objectname) %(refname)",
		"--merged="+headsPrefix+branch, syncedPrefix+"*/"+branch, syncedPrefix+"*/*/"+branch)
	if exitStatus(err) > 0 {
		return nil // there is no such branch
	}
	for ref, id := range parseRefs(out) {
		if f, ok := parseFallback(ref, id); ok && f.Branch == branch {
			merged[ref] = id
		}
	}
	return err
}

// Pushers returns the UUIDs of the repositories whose own commits wait on fallback refs among the tips; records don't count.
func Pushers(tips []Tip) map[string]bool {
	clients := make(map[string]bool)
	for _, t := range tips {
		if !strings.HasPrefix(t.Ref, syncedPrefix) {
			continue
		}
		if f, ok := parseFallback(t.Ref, t.ID); ok && f.Origin == "" {
			clients[f.Client] = true
		}
	}
	return clients
}
