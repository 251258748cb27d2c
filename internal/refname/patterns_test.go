package refname

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A pattern is what git takes for one in a refspec, but for what isn't below refs/.
func TestPatterns(t *testing.T) {
	for _, pattern := range []string{
		"refs/*", "refs/h*", "refs/heads/*", "refs/heads/main", "refs/heads/feature/*", "refs/heads/*/wip", "refs/*/x", "refs/heads/v*.x", "refs/tags/v1.*", "refs/heads/größe*",
		"refs/heads/**", "refs/heads/*/*", "refs/heads/", "refs/heads/.*", "refs/heads/*.lock", "refs/heads/*.", "refs/heads/a..*", "refs/heads/a b*", "refs/heads/*~", "refs/heads//*",
		"refs/heads/@{*", "refs/heads/a?", "refs/heads/[ab]", "refs/heads/a\n*", "refs//*", "refs/.*", "/refs/*",
	} {
		want := exec.CommandContext(t.Context(), "git", "check-ref-format", "--refspec-pattern", pattern).Run() == nil
		got, err := ParsePatterns(pattern)
		if (err == nil) != want || want && (!slices.Equal(got, Patterns{pattern}) || got.Check() != nil) {
			t.Errorf("%q: %q, %v; git says %v", pattern, got, err, want)
		}
		if err := (Patterns{pattern}).Check(); (err == nil) != want {
			t.Errorf("check of %q: %v", pattern, err)
		}
	}
	for _, text := range []string{"main", "*", "heads/main", "HEAD", "refs/x", "!refs/heads/main", "^refs/heads/main", "+refs/heads/*", "refs/heads/\xe9", ",", "refs/heads/a,", "refs/heads/a, refs/heads/b"} {
		if got, err := ParsePatterns(text); !errors.Is(err, ErrPattern) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	got, err := ParsePatterns("refs/heads/a,refs/tags/*,refs/heads/a")
	if err != nil || got.String() != "refs/heads/a,refs/tags/*" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := ParsePatterns(""); err != nil || !got.All() {
		t.Errorf("of nothing: %q, %v", got, err)
	}
}

func TestTooManyPatterns(t *testing.T) {
	for _, many := range []Patterns{slices.Repeat(Patterns{"refs/heads/a"}, MaxPatterns+1), {"refs/heads/" + strings.Repeat("a", MaxBytes)}} {
		if err := many.Check(); !errors.Is(err, ErrTooMany) {
			t.Error(err)
		}
	}
	if err := slices.Repeat(Patterns{"refs/heads/a"}, MaxPatterns).Check(); err != nil {
		t.Error(err)
	}
}

func TestMatch(t *testing.T) {
	p, err := ParsePatterns("refs/heads/main,refs/heads/feature/*,refs/heads/v*.x,refs/tags/aa*aa")
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"refs/heads/main", "refs/heads/feature/a", "refs/heads/feature/a/b", "refs/heads/v1.x", "refs/heads/v.x", "refs/heads/v1/y.x", "refs/tags/aaaa", "refs/tags/aabaa"} {
		if !p.Match(ref) {
			t.Errorf("%s doesn't match", ref)
		}
	}
	for _, ref := range []string{
		"refs/heads/main2", "refs/heads/mai", "refs/heads/Main", "refs/heads/main/a", "refs/heads/feature", "refs/heads/features/a", "refs/heads/x/feature/a", "xrefs/heads/main",
		"refs/heads/v1.xx", "refs/tags/aaa", "refs/tags/main", "refs/synced/x/main", "main", "",
	} {
		if p.Match(ref) {
			t.Errorf("%s matches", ref)
		}
	}
	if !(Patterns{}).Match("refs/heads/x") {
		t.Error("without patterns not everything matches")
	}
}

func TestUnion(t *testing.T) {
	a, b := Patterns{"refs/heads/a", "refs/heads/b"}, Patterns{"refs/heads/b", "refs/heads/c"}
	if got := Union(a, b); got.String() != "refs/heads/a,refs/heads/b,refs/heads/c" {
		t.Errorf("%q", got)
	}
	if got := slices.Concat(Union(a, nil), Union(nil, b), Union(nil, nil)); !got.All() {
		t.Errorf("with everything: %q", got)
	}
	many := a
	for i := range 8 {
		many = Union(many, Patterns{strings.Repeat("a", MaxBytes-1-i)})
	}
	if n := len(many.String()); n > maxUnionBytes || n < maxUnionBytes/2 {
		t.Errorf("%d bytes", n)
	}
}
