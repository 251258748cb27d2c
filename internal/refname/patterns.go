package refname

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// MaxPatterns is how many patterns may be given, MaxBytes how long they may be together.
	MaxPatterns = 64
	MaxBytes    = 4096
	// maxUnionBytes bounds what Union makes of several: it has to go into an environment variable.
	maxUnionBytes = 4 * MaxBytes
)

var (
	// ErrPattern says that a text is no pattern of refs.
	ErrPattern = errors.New("not a pattern of full ref names, such as refs/heads/main or refs/heads/feature/*")
	// ErrTooMany says that there are too many patterns, or too long ones.
	ErrTooMany = fmt.Errorf("more than %d patterns, or than %d bytes of them", MaxPatterns, MaxBytes)
)

// Patterns are the refs whose full names one of them matches. They are what
// git's refspecs have on one side (gitglossary(7)): a name, in which one `*` may
// stand for any text, with slashes too. Without any they are all refs.
type Patterns []string

// ParsePatterns reads patterns with commas between them. "" is none: all refs.
func ParsePatterns(text string) (Patterns, error) {
	if text == "" {
		return nil, nil
	}
	var p Patterns
	for pattern := range strings.SplitSeq(text, ",") {
		if !isPattern(pattern) {
			return nil, fmt.Errorf("%.80q: %w", pattern, ErrPattern)
		}
		if !slices.Contains(p, pattern) {
			p = append(p, pattern)
		}
	}
	return p, nil
}

// Check refuses what isn't a pattern, and too much of it.
func (p Patterns) Check() error {
	if len(p) > MaxPatterns || len(p.String()) > MaxBytes {
		return ErrTooMany
	}
	for _, pattern := range p {
		if !isPattern(pattern) {
			return fmt.Errorf("%.80q: %w", pattern, ErrPattern)
		}
	}
	return nil
}

// String is what ParsePatterns reads.
func (p Patterns) String() string { return strings.Join(p, ",") }

// All reports whether all refs match.
func (p Patterns) All() bool { return len(p) == 0 }

// Match reports whether a full name matches.
func (p Patterns) Match(ref string) bool {
	return p.All() || slices.ContainsFunc(p, func(pattern string) bool {
		before, after, star := strings.Cut(pattern, "*")
		if !star {
			return ref == pattern
		}
		return len(ref) >= len(before)+len(after) && strings.HasPrefix(ref, before) && strings.HasSuffix(ref, after)
	})
}

// Union matches what one of two does. What is too much together is left out.
func Union(a, b Patterns) Patterns {
	if a.All() || b.All() {
		return nil
	}
	both, size := Patterns{}, 0
	for _, pattern := range slices.Concat(a, b) {
		if size += len(pattern) + 1; size > maxUnionBytes {
			break
		}
		if !slices.Contains(both, pattern) {
			both = append(both, pattern)
		}
	}
	return both
}

// isPattern is of git's opinion (git check-ref-format --refspec-pattern), but for names that aren't below refs/ or have a comma, and text that isn't UTF-8.
func isPattern(s string) bool {
	before, after, star := strings.Cut(s, "*")
	if strings.Contains(after, "*") || strings.Contains(s, ",") || !utf8.ValidString(s) {
		return false
	}
	if rest, ok := strings.CutPrefix(before, "refs/"); star && ok {
		s = "refs/x/" + rest + "x" + after // of two parts, which refs/* isn't
	}
	return Valid(s)
}
