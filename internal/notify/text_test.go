package notify

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	push := func(changes ...Change) []Push {
		return []Push{{Who: "Alice's laptop", Repository: "proj", Changes: changes}}
	}
	for want, pushes := range map[string][]Push{
		"": nil,
		"Alice's laptop pushed main (3 commits) to proj: fix the door":               push(Change{Ref: "refs/heads/main", Commits: 3, Subject: "fix the door"}),
		"Alice's laptop pushed main (1 commit) to proj":                              push(Change{Ref: "refs/heads/main", Commits: 1}),
		"Alice's laptop pushed main (forced, 2 commits) to proj: b":                  push(Change{Ref: "refs/heads/main", Commits: 2, Forced: true, Subject: "b"}),
		"Alice's laptop pushed main (1000 commits or more) to proj":                  push(Change{Ref: "refs/heads/main", Commits: 1000, Many: true}),
		"Alice's laptop pushed main (waits in refs/synced/1/main, 1 commit) to proj": push(Change{Ref: "refs/synced/1/main", Waits: "main", Created: true, Commits: 1}),
		"Alice's laptop pushed a (deleted), tag v1 (new), refs/notes/x to proj: one": push(
			Change{Ref: "refs/heads/a", Deleted: true, Subject: "none"}, Change{Ref: "refs/tags/v1", Created: true, Subject: "one"}, Change{Ref: "refs/notes/x", Subject: "two"}),
		"a b pushed x (new), 7 more to p q: it's <b> & all": {{
			Who: "a\nb", Repository: "p\u2028q", Changes: []Change{{Ref: "refs/heads/x", Created: true, Subject: " it's\t\x1b\x07\u202e\u200b\ufeff \xff<b>\ufffe & all\r\n"}}, More: 7,
		}},
		"Alice's laptop pushed main (1 commit) to proj\nBob pushed b (new) to other\nand 1 more push": append(push(Change{Ref: "refs/heads/main", Commits: 1}),
			Push{Who: "Bob", Repository: "other", Changes: []Change{{Ref: "refs/heads/b", Created: true}}}),
	} {
		more := 0
		if strings.HasSuffix(want, "push") {
			more = 1
		}
		if got := text(pushes, more); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
}

// Whatever others have chosen, a message isn't long.
func TestTextIsBounded(t *testing.T) {
	long := strings.Repeat("ä€", 5000)
	p := Push{Who: long, Repository: long, Changes: []Change{{Ref: "refs/heads/" + long, Subject: long}, {Ref: "refs/tags/" + long}, {Ref: long, Waits: long}}}
	got := text([]Push{p, p, p, p, p, p, p, p}, 3)
	if len(got) > maxTextBytes || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	if lines := strings.Split(text([]Push{p, p, p}, 0), "\n"); len(lines[0]) > 4*maxNameBytes+4*maxNameBytes+maxSubjectBytes {
		t.Errorf("a line of %d bytes", len(lines[0]))
	}
	small := Push{Who: "a", Repository: "r", Changes: []Change{{Ref: "refs/heads/x"}}}
	got = text([]Push{small, small, small, small, small, small, small, small}, 3)
	if want := strings.Repeat("a pushed x to r\n", maxLines) + "and 6 more pushes"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}
