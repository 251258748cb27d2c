//go:build !linux

package testserver

import (
	"context"
	"os"
	"testing"
	"time"
)

// awaitNoGroup waits until a process is gone. Only Linux shows its group.
func awaitNoGroup(ctx context.Context, t *testing.T, pid int) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		if p, err := os.FindProcess(pid); err != nil || signalGroup(p.Pid, false) != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("process %d lives on", pid)
		}
	}
}
