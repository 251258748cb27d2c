package repo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Pushes of several people to one branch at once all get through, and nothing of them is lost.
func TestPushersAtOnce(t *testing.T) {
	for name, args := range map[string][]string{"work tree": nil, "bare": {"--bare"}} {
		t.Run(name, func(t *testing.T) {
			const pushers = 4
			w := newWorld(t, args...)
			w.needsGit(2, 38)
			t.Setenv("TOY_INTEGRATE", IntegrateMerge)
			// The lock of the branch is held for longer than git waits for one.
			w.hook("reference-transaction", `[ "$1" != prepared ] || ! grep -q refs/heads/main || sleep 0.3`)
			var all sync.WaitGroup
			said, status := make([]string, pushers), make([]int, pushers)
			for i := range pushers {
				clone := filepath.Join(t.TempDir(), "clone")
				git(t, w.client, "clone", "-q", w.client, clone)
				git(t, clone, "remote", "set-url", "origin", "toy::"+w.server)
				commit(t, clone, fmt.Sprint("file", i), "x")
				push := exec.CommandContext(t.Context(), "git", "push", "origin", "main")
				push.Dir, push.Env = clone, append(os.Environ(), fmt.Sprintf("TOY_UUID=%d%s", i, aliceUUID[1:]))
				all.Go(func() {
					out, _ := push.CombinedOutput() // its exit status says it
					said[i], status[i] = string(out), push.ProcessState.ExitCode()
				})
			}
			all.Wait()
			for i := range pushers {
				if status[i] != 0 || strings.Contains(said[i], "refs/synced") {
					t.Errorf("exit status %d\n%s", status[i], said[i])
				}
			}
			files := strings.Fields(git(t, w.server, "ls-tree", "--name-only", "main"))
			if len(files) != 1+pushers || git(t, w.server, "rev-list", "--count", "--no-merges", "main") != fmt.Sprint(1+pushers) {
				t.Errorf("main has %v", files)
			}
			if !w.bare() && git(t, w.server, "status", "--porcelain") != "" {
				t.Error("the work tree isn't clean")
			}
		})
	}
}

// Where no turns can be taken, pushes go on without.
func TestPushWithoutTurns(t *testing.T) {
	w := newWorld(t)
	if err := os.Mkdir(filepath.Join(w.server, ".git", turnFile), 0o755); err != nil {
		t.Fatal(err)
	}
	commit(t, w.client, "two", "two")
	w.mustPush(toMain, "main -> main")
	w.is("refs/heads/main", "main")
}
