package repo

import (
	"context"
	"fmt"
	"strings"
)

// maxNamespaces bounds how many namespaces for fallback refs a sender has.
const maxNamespaces = 10

// namespaces are where only this sender's pushes are kept: below them a fallback ref has its branch's name. One would do if a ref `a`
// could be beside a ref `a/b`, as they are in turn on different machines; where the first can't take a name the next does.
func (s Sender) namespaces() []string {
	if s.UUID == "" {
		return nil
	}
	all := []string{syncedPrefix + s.UUID}
	for i := 1; i < maxNamespaces; i++ {
		all = append(all, fmt.Sprintf("%s%s.%d", syncedPrefix, s.UUID, i))
	}
	return all
}

// refNames are names of refs and of the folders that they are in.
type refNames map[string]refKind

type refKind int

const (
	isRef refKind = iota + 1
	isFolder
)

// add adds a ref.
func (n refNames) add(ref string) {
	n[ref] = isRef
	for i := strings.LastIndexByte(ref, '/'); i > 0; i = strings.LastIndexByte(ref[:i], '/') {
		n[ref[:i]] = isFolder
	}
}

// take reports whether there can be a ref beside the others.
func (n refNames) take(ref string) bool {
	if n[ref] == isFolder {
		return false
	}
	for i := strings.LastIndexByte(ref, '/'); i > 0; i = strings.LastIndexByte(ref[:i], '/') {
		if n[ref[:i]] == isRef {
			return false
		}
	}
	return true
}

// isRecord reports whether a command is for a record in the sender's namespaces. Nothing is merged with it, but its name may have to
// go into the next namespace.
func (r *receiver) isRecord(c command) bool {
	f, ok := parseFallback(c.ref, c.new)
	return ok && f.Client == r.sender.UUID && f.Origin != "" && !isZero(c.new)
}

// nameInSpace is a branch's or a record's name below a namespace.
func nameInSpace(ref string) string {
	if name, ok := strings.CutPrefix(ref, headsPrefix); ok {
		return name
	}
	_, name, _ := strings.Cut(strings.TrimPrefix(ref, syncedPrefix), "/")
	return name
}

// fallbacks are the sender's fallback refs for a branch, or where a record is, that there are: one, or none.
func (r *receiver) fallbacks(ref string) []string {
	var there []string
	for _, space := range r.sender.namespaces() {
		name := space + "/" + nameInSpace(ref)
		if _, ok := r.refs[name]; ok {
			there = append(there, name)
		}
	}
	return there
}

// fallback is the ref that the sender's commits for a branch or a record go to.
func (r *receiver) fallback(ref string) string {
	for _, name := range r.fallbacks(ref) {
		return name
	}
	spaces := r.sender.namespaces()
	for _, space := range spaces {
		if name := space + "/" + nameInSpace(ref); r.names.take(name) {
			return name
		}
	}
	return spaces[0] + "/" + nameInSpace(ref) // git will say why not
}

// planFallback moves the sender's fallback ref, wherever it was.
func (r *receiver) planFallback(ctx context.Context, p *plan, c command) (*plan, error) {
	ref := r.fallback(c.ref)
	r.names.add(ref) // for the other commands of an atomic push
	old := r.value(ref, c.new)
	p.report.done, p.report.forced = change{ref, old, c.new}, false
	if old == c.new {
		return p, nil
	}
	p.changes = []change{p.report.done}
	if !isZero(old) {
		forward, err := r.repo.isAncestor(ctx, old, c.new)
		if err != nil {
			return nil, err
		}
		p.report.forced = !forward
	}
	return r.askUpdateHook(ctx, p)
}

// tidy deletes the sender's fallback refs for a branch if a commit that the branch will have holds all of them.
func (r *receiver) tidy(ctx context.Context, p *plan, branch, commit string) error {
	for _, ref := range r.fallbacks(branch) {
		old := r.refs[ref]
		done, err := r.repo.isAncestor(ctx, old, commit)
		if err != nil {
			return err
		}
		if done {
			p.changes = append(p.changes, change{ref, old, zeroLike(old)})
		}
	}
	return nil
}
