package agent_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"git-remote-xmpp/internal/agent"
)

// A socket that a dead agent left is replaced; what is no socket isn't.
func TestStaleSocket(t *testing.T) {
	dir := privateDir(t)
	path := filepath.Join(dir, "agent")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	if _, err := agent.Dial(t.Context(), dir, request); !errors.Is(err, agent.ErrDeclined) {
		t.Errorf("dial: %v", err)
	}
	l, err := agent.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := agent.Listen(dir); err == nil {
		_ = l.Close()
		t.Error("a file was replaced")
	}
}
