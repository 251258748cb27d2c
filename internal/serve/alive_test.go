package serve_test

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A server lives while its loop goes round and its locks are free, and doesn't otherwise.
func TestAlive(t *testing.T) {
	w := newWorld(t, deadline, "proj")
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := w.server.Alive(ctx); err != nil {
		t.Fatal(err)
	}
	w.guest("alice", writeProj).hello()
	w.await("the connection", func() bool { return strings.Contains(w.server.Summary(), "; connections: 1, running: 0, waiting: 0") })
	if got := w.server.Summary(); !strings.HasPrefix(got, "online as bob@localhost/git-bob; ") {
		t.Errorf("summary %q", got)
	}
	free := w.server.HoldTurns()
	lives := make(chan error, 1)
	go func() { lives <- w.server.Alive(ctx) }()
	select {
	case err := <-lives:
		free()
		t.Fatalf("it lives while its lock is held: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	free()
	if err := <-lives; err != nil {
		t.Error(err)
	}
	w.shutdown()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.server.Alive(short); err == nil {
		t.Error("it lives after its end")
	}
}
