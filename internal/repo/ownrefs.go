package repo

import (
	"context"
	"strings"
)

// refPattern is one value of receive.procReceiveRefs: which commands go to the proc-receive hook (git-config(1)).
type refPattern struct {
	add, delete, modify bool
	negative            bool
	prefix              string
}

// parseRefPattern reads a value as git does: letters in front of a colon that mean nothing are skipped.
func parseRefPattern(value string) refPattern {
	kinds, prefix, ok := strings.Cut(value, ":")
	if !ok {
		kinds, prefix = "adm", value
	}
	return refPattern{
		add: strings.Contains(kinds, "a"), delete: strings.Contains(kinds, "d"), modify: strings.Contains(kinds, "m"),
		negative: strings.Contains(kinds, "!"), prefix: strings.TrimRight(prefix, "/"),
	}
}

// matches reports whether the pattern hands a command to the hook. A negative one does so with what is outside of it.
func (p refPattern) matches(c command) bool {
	switch {
	case isZero(c.old) && !p.add, isZero(c.new) && !p.delete, !isZero(c.old) && !isZero(c.new) && !p.modify:
		return false
	}
	rest, inside := strings.CutPrefix(c.ref, p.prefix)
	inside = inside && (rest == "" || rest[0] == '/')
	return inside != p.negative
}

// ownCommands returns the commands that are for the repository's own proc-receive hook. Of a branch that the
// pusher was shown as missing it is told the value that there is.
func (r *receiver) ownCommands(ctx context.Context, commands []command) ([]command, error) {
	values, err := r.repo.config(ctx, "receive.procReceiveRefs")
	if err != nil || len(values) == 0 {
		return nil, err
	}
	var own []command
	for _, c := range commands {
		if isZero(c.old) {
			c.old = r.value(c.ref, c.old)
		}
		for _, value := range values {
			if parseRefPattern(value).matches(c) {
				own = append(own, c)
				break
			}
		}
	}
	return own, nil
}
