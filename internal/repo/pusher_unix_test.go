//go:build !windows

package repo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whatever hangs ends with the context: git, its helper, and a hook that ignores what it is told.
func TestPushIsStopped(t *testing.T) {
	p := newPushing(t, "--bare")
	commit(t, p.client, "two", "two")
	file := filepath.Join(t.TempDir(), "group")
	writeFile(t, p.client+"/.git/hooks/pre-push", "#!/bin/sh\ntrap '' TERM; ps -o pgid= -p $$ >"+file+".new; mv "+file+".new "+file+"; sleep 600; sleep 600", 0o755)
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := p.repo.Push(ctx, "xmpp::"+p.server, []Tip{{"refs/heads/main", ""}}, HooksDir(p.data))
		failed <- err
	}()
	group := waitFor(t, file)
	began := time.Now()
	cancel(os.ErrDeadlineExceeded)
	err := <-failed
	if took := time.Since(began); took > 2*StopGrace {
		t.Errorf("it took %v", took)
	}
	if err == nil || !strings.Contains(err.Error(), "git push: "+os.ErrDeadlineExceeded.Error()) {
		t.Errorf("error %v", err)
	}
	waitGone(t, group)
}

// A hook that leaves something behind doesn't hold up a push, nor make it fail.
func TestPushLeavesABackgroundProcessAlone(t *testing.T) {
	p := newPushing(t, "--bare")
	commit(t, p.client, "two", "two")
	file := filepath.Join(t.TempDir(), "pid")
	writeFile(t, p.client+"/.git/hooks/pre-push", "#!/bin/sh\nsleep 600 &\necho $! >"+file+"\n", 0o755)
	got, err := p.pushAll()
	if err != nil || len(got.Taken) != 1 {
		t.Errorf("%+v, error %v", got, err)
	}
	if out, err := exec.CommandContext(t.Context(), "kill", strings.TrimSpace(readFile(t, file))).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
