//go:build !windows

package repo

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A push whose serving process is killed ends by itself and leaves no quarantine: all ends of its pipes close at once.
func TestPushWithoutServe(t *testing.T) {
	w := newWorld(t)
	repo, err := Open(t.Context(), w.server)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := repo.Command(t.Context(), ReceivePack, 0, Sender{testJID, aliceUUID, testKey, "alice"}, Policy{}, HooksDir(w.data))
	if err != nil {
		t.Fatal(err)
	}
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	if err1 != nil || err2 != nil || err3 != nil || cmd.Start() != nil {
		t.Fatal("can't start receive-pack")
	}
	old, created := git(t, w.server, "rev-parse", "main"), strings.Repeat("1", 40)
	line := fmt.Sprintf("%s %s refs/heads/main\x00report-status side-band-64k", strings.TrimSpace(old), created)
	if _, err := fmt.Fprintf(stdin, "%04x%s0000PACK\x00\x00\x00\x02\x00\x00\x00\x09", len(line)+4, line); err != nil {
		t.Fatal(err)
	}
	quarantine := func() (left []string) {
		for _, pattern := range []string{"incoming-*", "tmp_objdir-*"} {
			found, _ := filepath.Glob(filepath.Join(repo.Dir, "objects", pattern)) // fails for a bad pattern only
			left = append(left, found...)
		}
		return left
	}
	for end := time.Now().Add(20 * time.Second); len(quarantine()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("there is no quarantine")
		}
	}
	for _, end := range []io.Closer{stdout, stderr, stdin} {
		if err := end.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait() // with which status nobody is told
	if left := quarantine(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	git(t, w.server, "fsck")
}
