package repo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
)

// postReceive is the hook that is told what a push has changed.
const postReceive = "post-receive"

// postUpdate is its older kin.
const postUpdate = "post-update"

const (
	// maxHookLineBytes bounds a line of a hook's input: no packet is longer.
	maxHookLineBytes = 1 << 16
	// maxMergesSearched bounds how many merges are looked at for the one that a push made.
	maxMergesSearched = 1000
)

// reallyChanged reads what git tells the post-receive hook after a push in fallback
// mode and returns what has really changed. It is not the same where git was told something
// for the pusher's sake (see plan): a branch that had the commits already, or one that was merged.
func (r *Repo) reallyChanged(ctx context.Context, in io.Reader, merges bool) (string, error) {
	var now map[string]string
	if merges {
		var err error
		if now, err = r.refs(ctx, headsPrefix); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, maxHookLineBytes)
	for n := 0; scanner.Scan(); n++ {
		if n == maxCommands {
			return "", fmt.Errorf("%s: more than %d lines", postReceive, maxCommands)
		}
		c, err := parseCommand(scanner.Text())
		if err != nil {
			return "", err
		}
		if c.old == c.new {
			continue
		}
		if value, ok := now[c.ref]; ok && value != c.new && !isZero(c.old) && !isZero(c.new) {
			c.new = r.mergeOf(ctx, c, value)
		}
		fmt.Fprintf(&out, "%s %s %s\n", c.old, c.new, c.ref)
	}
	return out.String(), scanner.Err()
}

// mergeOf returns the merge of a pushed commit into a branch's old value, which the branch has got since; the
// pushed commit if there is none.
func (r *Repo) mergeOf(ctx context.Context, c command, value string) string {
	out, err := r.git(ctx, nil, "rev-list", "--merges", "--parents", fmt.Sprintf("--max-count=%d", maxMergesSearched), value, "^"+c.old)
	if err != nil {
		return c.new // git can't read the history: what it was told stands
	}
	for line := range strings.Lines(out) {
		if id, parents, _ := strings.Cut(strings.TrimSpace(line), " "); parents == c.old+" "+c.new {
			return id
		}
	}
	return c.new
}
