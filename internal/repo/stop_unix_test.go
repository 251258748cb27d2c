//go:build !windows

package repo

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waitFor waits until a file exists and returns what is in it.
func waitFor(t *testing.T, path string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(path); err == nil && len(b) > 0 {
			return strings.TrimSpace(string(b))
		}
	}
	t.Fatalf("%s doesn't appear", path)
	return ""
}

// A push that is stopped while a hook of the repository's own hangs leaves
// nothing behind.
func TestStoppedPushLeavesNothing(t *testing.T) {
	for name, hook := range map[string]string{"in quarantine": "pre-receive", "in our hook": "update", "in its own": procReceive} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if hook == procReceive {
				git(t, w.server, "config", "receive.procReceiveRefs", "refs/heads/main")
			}
			before := listing(t, w.server)
			file, dir := filepath.Join(t.TempDir(), "pid"), t.TempDir()
			t.Setenv("TOY_PID_FILE", file)
			// The group's number is the one of git receive-pack.
			w.hook(hook, "ps -o pgid= -p $$ >"+dir+"/group.new; mv "+dir+"/group.new "+dir+"/group; sleep 600 & wait")
			commit(t, w.client, "two", "two")
			cmd := exec.CommandContext(t.Context(), "git", "push", "origin", "main")
			cmd.Dir = w.client
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			group := waitFor(t, filepath.Join(dir, "group"))
			helper, err := strconv.Atoi(waitFor(t, file))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(helper, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if cmd.Wait() == nil {
				t.Error("git push says that all is well")
			}
			waitGone(t, group)
			w.is("refs/heads/main", "main~1")
			git(t, w.server, "fsck")
			git(t, w.server, "gc", "-q", "--prune=now")
			for _, path := range listing(t, w.server) {
				if !slices.Contains(before, path) && (strings.HasSuffix(path, ".lock") || strings.Contains(path, "incoming") || strings.Contains(path, "tmp_")) {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

// waitGone waits until no process of a group is alive.
func waitGone(t *testing.T, group string) {
	t.Helper()
	var out []byte
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var err error
		if out, err = exec.CommandContext(t.Context(), "ps", "-eo", "pgid=,stat=,args=").Output(); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(strings.Split(string(out), "\n"), func(line string) bool {
			f := strings.Fields(line)
			return len(f) > 1 && f[0] == group && !strings.HasPrefix(f[1], "Z")
		}) {
			return
		}
	}
	t.Fatalf("processes of group %s are left:\n%s", group, out)
}

func listing(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// A hook of ours that hangs ends with the context, whatever it ignores.
func TestPostSyncIsStopped(t *testing.T) {
	w := newWorld(t, "--bare")
	file := filepath.Join(t.TempDir(), "group")
	w.hook(postSync, "trap '' TERM; ps -o pgid= -p $$ >"+file+".new; mv "+file+".new "+file+"; sleep 600; sleep 600")
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- w.open().PostSync(ctx, "bob", nil, io.Discard) }()
	group := waitFor(t, file)
	cancel(os.ErrDeadlineExceeded)
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	waitGone(t, group)
}

// So does a hook that runs when something is brought in.
func TestIntegrateIsStopped(t *testing.T) {
	w := newWorld(t, "--bare")
	git(t, w.server, "update-ref", syncedRef, w.history("two main")["two"])
	before := git(t, w.server, "for-each-ref")
	file := filepath.Join(t.TempDir(), "group")
	w.hook("update", "trap '' TERM; ps -o pgid= -p $$ >"+file+".new; mv "+file+".new "+file+"; sleep 600; sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- w.open().Integrate(ctx, Sender{testJID, aliceUUID, testKey, "alice"}, Policy{}, io.Discard)
	}()
	group := waitFor(t, file)
	cancel()
	<-ended
	waitGone(t, group)
	if got := git(t, w.server, "for-each-ref"); got != before {
		t.Errorf("there are\n%s", got)
	}
}
