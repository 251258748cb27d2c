package testserver

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestGitOverSSH(t *testing.T) {
	Require(t, SSHD)
	ctx := testContext(t)
	s, err := StartSSHD(ctx, "", Place{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	repo := filepath.Join(t.TempDir(), "with space.git")
	git := func(args ...string) string {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Env = append(os.Environ(), "GIT_SSH_COMMAND="+s.Command, "GIT_CONFIG_GLOBAL=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@a.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@a.test")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s%s", args, err, out, tail(s.LogFile))
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "--bare", "-b", "main", repo)
	tree := git("-C", repo, "hash-object", "-w", "-t", "tree", "/dev/null")
	commit := git("-C", repo, "commit-tree", "-m", "first", tree)
	git("-C", repo, "update-ref", "refs/heads/main", commit)
	if got, want := git("ls-remote", s.URL(repo), "refs/heads/main"), commit+"\trefs/heads/main"; got != want {
		t.Fatalf("ls-remote says %q, want %q", got, want)
	}
	pid := s.PID()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	awaitNoGroup(ctx, t, pid)
	if _, err := os.Stat(s.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder: %v, want it gone", err)
	}
}
