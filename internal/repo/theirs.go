package repo

import (
	"context"
	"fmt"
	"strings"

	"git-remote-xmpp/internal/refname"
)

// right is the ref that a sender must be allowed to change in order to change ref: for a fallback ref of its own, or a record there, it is the
// branch, since what is there may be brought into that.
func (s Sender) right(ref string) string {
	if f, ok := parseFallback(ref, ""); ok && f.Client == s.UUID {
		return headsPrefix + f.Branch
	}
	return ref
}

// theirs tells the commands for refs that the sender may change from others, which are refused.
func (r *receiver) theirs(ctx context.Context, commands []command) (allowed []command, refused map[string]report, err error) {
	refused = make(map[string]report)
	if r.allowed.All() {
		return commands, refused, nil
	}
	for _, c := range commands {
		yes, err := r.mayChange(ctx, c.ref)
		if err != nil {
			return nil, nil, err
		}
		if yes {
			allowed = append(allowed, c)
		} else {
			refused[c.ref] = report{ref: c.ref, reason: reasonNotYours(r.allowed)}
		}
	}
	return allowed, refused, nil
}

// mayChange reports whether the sender may change a ref, and what it points to if it is a symbolic one: git would change that.
func (r *receiver) mayChange(ctx context.Context, ref string) (bool, error) {
	if !r.allowed.Match(r.sender.right(ref)) {
		return false, nil
	}
	if !refname.Valid(ref) {
		return true, nil // it is refused for that
	}
	target, err := r.repo.git(ctx, nil, "symbolic-ref", "--quiet", ref)
	if exitStatus(err) == 1 {
		return true, nil
	}
	return r.allowed.Match(r.sender.right(strings.TrimSuffix(target, "\n"))), err
}

// reasonNotYours says which refs a sender may change, as many as there is room for.
func reasonNotYours(allowed refname.Patterns) string {
	reason := "not yours to push: you may write to " + allowed[0]
	for i, pattern := range allowed[1:] {
		if len(reason)+len(pattern) > maxReasonBytes {
			return fmt.Sprintf("%s and %d more", reason, len(allowed)-1-i)
		}
		reason += ", " + pattern
	}
	return reason
}
