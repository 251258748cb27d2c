package agent_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"git-remote-xmpp/internal/agent"
)

// A folder or socket that others can get at is used by neither side.
func TestOpenToOthers(t *testing.T) {
	dir := privateDir(t)
	path := filepath.Join(dir, "agent")
	l, err := agent.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.Dial(t.Context(), dir, request); !errors.Is(err, agent.ErrDeclined) || !strings.Contains(err.Error(), "permission") {
		t.Errorf("dial: %v", err)
	}
	_ = l.Close()
	if l, err := agent.Listen(dir); err == nil {
		_ = l.Close()
		t.Error("listening in a folder that is open to others")
	}
	link := filepath.Join(filepath.Dir(dir), "link")
	if err := errors.Join(os.Chmod(dir, 0o700), os.Symlink(dir, link)); err != nil {
		t.Fatal(err)
	}
	if l, err := agent.Listen(link); err == nil {
		_ = l.Close()
		t.Error("listening behind a symbolic link")
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if l, err := agent.Listen(dir); err == nil {
		_ = l.Close()
		t.Error("listening in somebody else's folder")
	}
}

// The path of a socket may be longer than the system allows.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(privateDir(t), strings.Repeat("long", 50))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := agent.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, _ = conn.Write(frame(2, "found"))
		}
		accepted <- conn
	}()
	if _, err := agent.Dial(t.Context(), dir, request); err == nil || !strings.Contains(err.Error(), "found") {
		t.Errorf("dial: %v", err)
	}
	if conn := <-accepted; conn != nil {
		_ = conn.Close()
	}
}
