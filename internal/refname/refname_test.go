package refname

import (
	"os/exec"
	"testing"
)

// Valid is of git's opinion.
func TestValid(t *testing.T) {
	for _, name := range []string{
		"refs/heads/main", "refs/heads/@", "refs/heads/-", "refs/heads/--leading", "refs/heads/a@b", "refs/heads/größe", "refs/heads/latin-\xe9", "refs/heads/!$%&'()+,;=|\"`{}<>",
		"refs/changes/1", "refs/x/y/z", "refs/heads/HEAD", "refs/heads/a.b", "refs/heads/a.lock.b", "refs/heads/refs/heads/x",
		"", "refs", "refs/", "refs/heads/", "/refs/heads/a", "refs//a", "refs/heads//a", "refs/heads/a/", "refs/heads/.a", "refs/heads/a..b", "refs/heads/a.", "refs/heads/a./b",
		"refs/heads/a.lock", "refs/a.lock/b", "refs/heads/a b", "refs/heads/a\tb", "refs/heads/a\x7fb", "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b", "refs/heads/a?",
		"refs/heads/*", "refs/heads/[a", `refs/heads/a\b`, "refs/heads/a@{1}",
	} {
		want := exec.CommandContext(t.Context(), "git", "check-ref-format", name).Run() == nil
		if got := Valid(name); got != want {
			t.Errorf("Valid(%q) = %v, and git says %v", name, got, want)
		}
	}
	// git lets these pass by themselves, and receive-pack doesn't.
	for _, name := range []string{"refs/bad", "heads/main", "HEAD"} {
		if Valid(name) {
			t.Errorf("Valid(%q) is true", name)
		}
	}
}
