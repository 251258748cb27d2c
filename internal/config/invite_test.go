package config

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The invite goes from the URLs that have it, however they are written, and nothing else changes.
func TestForgetInvite(t *testing.T) {
	dir, env := t.TempDir(), []string{"PATH=/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + t.TempDir()}
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet")
	for _, url := range []string{
		"xmpp::bob@example.org/a.b+(c)?invite=AAAA", "xmpp://bob@example.org/a.b+(c)?invite=AAAA", "xmpp::bob@example.org/aXb+(c)?invite=BBBB", "xmpp::bob@example.org/a.b+(c)", "https://example.org/?invite=AAAA",
	} {
		git("config", "--add", "remote.or.igin.url", url)
	}
	used, err := ParseRemote("bob@example.org/a.b+(c)?invite=AAAA")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"or.igin", "none", "", "xmpp::bob@example.org/a.b+(c)?invite=AAAA"} {
		if err := ForgetInvite(t.Context(), dir, env, name, used); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain := used.WithoutInvite().String()
	want := []string{plain, plain, "xmpp::bob@example.org/aXb+(c)?invite=BBBB", "xmpp::bob@example.org/a.b+(c)", "https://example.org/?invite=AAAA"}
	if got := strings.Split(git("config", "--get-all", "remote.or.igin.url"), "\n"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := ForgetInvite(t.Context(), t.TempDir(), env, "or.igin", used); err != nil {
		t.Errorf("outside of a repository: %v", err)
	}
}
