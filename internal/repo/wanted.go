package repo

import (
	"context"
	"os/exec"
	"slices"
	"strings"

	"git-remote-xmpp/internal/refname"
)

// uuidGlob matches a UUID in a pattern of refs.
const uuidGlob = "????????-????-????-????-????????????"

// notIntegrated are patterns of refs that show what others have, not what was taken in here: whose commits only these reach is still to be pushed.
var notIntegrated = []string{
	"refs/remotes/*",
	syncedPrefix + uuidGlob + "/" + uuidGlob + "/*",
	syncedPrefix + uuidGlob + ".?/" + uuidGlob + "/*",
}

// Wanted returns which of the tips that the repository with the UUID client offers this one should get: branches that bring a commit or would move one
// of ours forward, unless the client has been given its fallback ref for it already; tags that there aren't; and records of
// commits from other repositories that nothing here reaches. Tips with names or ids that make no sense here are left out, and what the repository doesn't let
// peers write (receive.hideRefs, transfer.hideRefs), or the client (see Policy.Refs). For any number of tips it costs a constant number of git
// processes, but for one for each branch of ours that may have to move.
func (r *Repo) Wanted(ctx context.Context, client string, allowed refname.Patterns, tips []Tip) ([]Tip, error) {
	length, err := r.idLength(ctx)
	if err != nil {
		return nil, err
	}
	here, err := r.refs(ctx, headsPrefix, tagsPrefix, syncedPrefix)
	if err != nil {
		return nil, err
	}
	hidden, err := r.hiddenRefs(ctx, "receive")
	if err != nil {
		return nil, err
	}
	w := wanting{client: client, here: here, hidden: hidden, allowed: allowed, names: make(refNames)}
	for ref := range here {
		w.names.add(ref)
	}
	for _, t := range tips {
		if isObjectID(t.ID) && len(t.ID) == length && !isZero(t.ID) {
			w.sort(t)
		}
	}
	if err := w.filterBranches(ctx, r); err != nil {
		return nil, err
	}
	if err := w.filterRecords(ctx, r); err != nil {
		return nil, err
	}
	return slices.Concat(w.branches, w.tags, w.records), nil
}

// wanting is a choice among a client's tips.
type wanting struct {
	client                  string
	here                    map[string]string // branches, tags and fallback refs
	hidden                  []string          // patterns of receive.hideRefs
	allowed                 refname.Patterns  // what the client may change
	names                   refNames
	branches, tags, records []Tip // what is wanted, as far as is known
}

// sort puts a tip to its like, unless its name says that it isn't wanted.
func (w *wanting) sort(t Tip) {
	_, known := w.here[t.Ref]
	switch {
	case !refname.Valid(t.Ref), isHidden(w.hidden, w.destination(t)), !w.allowed.Match(Sender{UUID: w.client}.right(w.destination(t))):
	case strings.HasPrefix(t.Ref, headsPrefix):
		if w.here[t.Ref] != t.ID && !w.fellBack(t) {
			w.branches = append(w.branches, t)
		}
	case strings.HasPrefix(t.Ref, tagsPrefix):
		if !known && w.names.take(t.Ref) {
			w.tags = append(w.tags, t)
		}
	default:
		if _, ok := parseFallback(t.Ref, t.ID); ok {
			w.records = append(w.records, t)
		}
	}
}

// destination is where the client would push a tip to.
func (w *wanting) destination(t Tip) string {
	_, dst, _ := strings.Cut(t.refspec(w.client), ":")
	return dst
}

// fellBack reports whether the client has pushed a branch's tip already, and it went to its fallback ref.
func (w *wanting) fellBack(t Tip) bool {
	return slices.ContainsFunc(Sender{UUID: w.client}.namespaces(), func(space string) bool {
		return w.here[space+"/"+strings.TrimPrefix(t.Ref, headsPrefix)] == t.ID
	})
}

// filterBranches leaves the branches that are wanted: those that are new in whole or in part, and those that are ahead of ours.
func (w *wanting) filterBranches(ctx context.Context, r *Repo) error {
	unreached, err := r.unreached(ctx, ids(w.branches), notIntegrated...)
	if err != nil {
		return err
	}
	var reached []string // by another ref than the branch
	for _, t := range w.branches {
		if !unreached[t.ID] && w.here[t.Ref] != "" {
			reached = append(reached, t.ID)
		}
	}
	behind, err := r.behindAny(ctx, reached)
	if err != nil {
		return err
	}
	var wanted []Tip
	for _, t := range w.branches {
		yes := unreached[t.ID] || w.here[t.Ref] == ""
		if !yes && behind[t.Ref] {
			if yes, err = r.isAncestor(ctx, w.here[t.Ref], t.ID); err != nil {
				return err
			}
		}
		if yes {
			wanted = append(wanted, t)
		}
	}
	w.branches = wanted
	return nil
}

// filterRecords leaves the records of others' commits that nothing here reaches.
func (w *wanting) filterRecords(ctx context.Context, r *Repo) error {
	if len(w.records) == 0 {
		return nil
	}
	self, err := r.firstUUID(ctx)
	if err != nil {
		return err
	}
	unreached, err := r.unreached(ctx, ids(w.records))
	w.records = slices.DeleteFunc(w.records, func(t Tip) bool {
		f, _ := parseFallback(t.Ref, t.ID)
		return f.source() == self || !unreached[t.ID]
	})
	return err
}

func ids(tips []Tip) []string {
	var all []string
	for _, t := range tips {
		all = append(all, t.ID)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// behindAny returns the branches that are behind one of the commits, or equal to one.
func (r *Repo) behindAny(ctx context.Context, commits []string) (map[string]bool, error) {
	behind := make(map[string]bool)
	if len(commits) == 0 {
		return behind, nil
	}
	args := []string{"for-each-ref", "--format=%(refname)"}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(commits))) {
		args = append(args, "--merged="+id)
	}
	out, err := r.git(ctx, nil, append(args, headsPrefix)...)
	for line := range strings.Lines(out) {
		behind[strings.TrimSuffix(line, "\n")] = true
	}
	return behind, err
}

// Lacks reports whether at least one of the commits, given by their object ids, can't be reached from the repository's refs.
// One that is there and isn't reached counts as lacking: git may take it away, and nobody sees it.
func (r *Repo) Lacks(ctx context.Context, commits []string) (bool, error) {
	length, err := r.idLength(ctx)
	if err != nil || len(commits) == 0 {
		return false, err
	}
	if slices.ContainsFunc(commits, func(id string) bool { return !isObjectID(id) || len(id) != length }) {
		return true, nil // of another format: nothing like it can be here
	}
	unreached, err := r.unreached(ctx, commits)
	return len(unreached) > 0, err
}

// idLength is how many hexadecimal digits the repository's object ids have.
func (r *Repo) idLength(ctx context.Context) (int, error) {
	format, err := r.git(ctx, nil, "rev-parse", "--show-object-format")
	return map[string]int{"sha1": 40, "sha256": 64}[strings.TrimSpace(format)], err
}

// unreached returns which of the commits can't be reached from the repository's refs, leaving out those that a pattern matches. One whose history is
// here in part can't.
func (r *Repo) unreached(ctx context.Context, commits []string, exclude ...string) (map[string]bool, error) {
	unreached := make(map[string]bool)
	if len(commits) == 0 {
		return unreached, nil
	}
	present, err := r.present(ctx, strings.Join(commits, "\n")+"\n")
	if err != nil {
		return nil, err
	}
	var here []string
	for _, id := range commits {
		if present[id] {
			here = append(here, id)
		} else {
			unreached[id] = true
		}
	}
	if len(here) == 0 {
		return unreached, nil
	}
	args := []string{"--git-dir=" + r.Dir, "rev-list", "--stdin", "--not"}
	for _, pattern := range exclude {
		args = append(args, "--exclude="+pattern)
	}
	// What nothing reaches may have a long history: of that only the commits that were asked for are kept.
	out := lines{each: func(id string) {
		if present[id] {
			unreached[id] = true
		}
	}}
	cmd := exec.CommandContext(ctx, "git", append(args, "--all")...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = r.Dir, r.env, pipeGrace
	cmd.Stdin, cmd.Stdout = strings.NewReader(strings.Join(here, "\n")+"\n"), &out
	if err := cmd.Run(); exitStatus(err) > 0 {
		for _, id := range here { // a history isn't whole: git says nothing of the others
			unreached[id] = true
		}
	} else if err != nil {
		return nil, describe(ctx, args, err)
	}
	return unreached, nil
}
