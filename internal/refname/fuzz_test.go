package refname

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// A name that is let through is a path within the repository, on any system, and nothing in it means anything to git or a terminal.
func FuzzValid(f *testing.F) {
	for _, name := range []string{"refs/heads/main", "refs/heads/a.lock", "refs/../x", "refs/heads/../../x", "refs/heads/-x", "refs/heads/a\x00b", "refs/heads/a\x1b", "refs/heads/\xe9", "refs/heads/@{-1}", "refs//x/y", `refs/heads/..\x`} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !Valid(name) {
			return
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) && filepath.Separator == '/' || filepath.ToSlash(filepath.Clean(name)) != name {
			t.Fatalf("%q leaves its folder", name)
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || strings.ContainsRune(" ~^:?*[\\\x7f", r) }) {
			t.Fatalf("%q", name)
		}
		if !strings.HasPrefix(name, "refs/") || strings.Count(name, "/") < 2 || strings.Contains(name, "..") || strings.Contains(name+"/", ".lock/") || strings.Contains(name, "/.") || strings.Contains(name, "@{") {
			t.Fatalf("%q", name)
		}
	})
}

// Patterns that are let through are read from their text as the same, match what they say and nothing else, and two together match what either does.
func FuzzPatterns(f *testing.F) {
	f.Add("refs/heads/main,refs/heads/feature/*", "refs/tags/*", "x")
	f.Add("refs/*", "", "heads/main")
	f.Add("refs/heads/v*.x,refs/heads/v*.x", "refs/heads/*lock", ".")
	f.Add("refs/heads/aa*aa", "refs/heads/\xe9*", "a")
	f.Fuzz(func(t *testing.T, one, two, rest string) {
		a, err := ParsePatterns(one)
		if err != nil {
			return
		}
		again, err := ParsePatterns(a.String())
		if err != nil || !slices.Equal(a, again) {
			t.Fatalf("%q, again %q, %v", a, again, err)
		}
		for _, pattern := range a {
			before, after, star := strings.Cut(pattern, "*")
			single := Patterns{pattern}
			if !utf8.ValidString(pattern) || strings.ContainsFunc(pattern, unicode.IsControl) && strings.ContainsAny(pattern, "\x00\n\x1b") || !strings.HasPrefix(before, "refs/") {
				t.Fatalf("%q", pattern)
			}
			if ref := before + rest + after; star && !single.Match(ref) || !star && (!single.Match(pattern) || single.Match(pattern+"x")) {
				t.Fatalf("%q and %q", pattern, ref)
			}
			if star && (single.Match("x"+before+rest+after) || rest != "" && len(before+after) > 0 && single.Match(before[:len(before)-1]+after)) {
				t.Fatalf("%q matches what begins otherwise", pattern)
			}
		}
		b, err := ParsePatterns(two)
		if err != nil || len(one)+len(two) > maxUnionBytes-2 {
			return
		}
		both := Union(a, b)
		for _, ref := range []string{rest, "refs/heads/" + rest, "refs/" + rest, strings.ReplaceAll(one, "*", rest), strings.ReplaceAll(two, "*", rest)} {
			if both.Match(ref) != (a.Match(ref) || b.Match(ref)) {
				t.Fatalf("%q: %q, %q, %q", ref, a, b, both)
			}
		}
	})
}
