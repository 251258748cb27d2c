// Package refname knows which names refs may have, and patterns of them. It
// runs no git and knows no repository.
package refname

import "strings"

// Valid reports whether receive-pack would take a name for a ref: below refs/, of two parts at least, and
// well-formed (git-check-ref-format(1)). The hook of ours has to ask, for git leaves that to it.
func Valid(name string) bool {
	rest, ok := strings.CutPrefix(name, "refs/")
	if !ok || !strings.Contains(rest, "/") || strings.HasSuffix(rest, ".") ||
		strings.Contains(rest, "..") || strings.Contains(rest, "@{") ||
		strings.ContainsFunc(rest, func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune(`~^:?*[\`, c) }) {
		return false
	}
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}
