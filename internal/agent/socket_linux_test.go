package agent_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"git-remote-xmpp/internal/agent"
	"golang.org/x/sys/unix"
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

// other is the id of a user that isn't us.
const other = 12345

// asOther calls f on a thread of another user's, as the kernel sees it.
func asOther(t *testing.T, f func() error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), other, ^uintptr(0)); errno != 0 {
			done <- errno
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Even where the modes of folder and socket let another user in, the agent doesn't work for them.
func TestClientOfAnotherUser(t *testing.T) {
	f := start(t, &agent.Server{})
	path := filepath.Join(f.dir, "agent")
	if err := errors.Join(os.Chmod(filepath.Dir(f.dir), 0o711), os.Chmod(f.dir, 0o711), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	var conn net.Conn
	asOther(t, func() (err error) {
		conn, err = net.Dial("unix", path)
		return err
	})
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(deadline))
	answer, err := io.ReadAll(conn)
	if want := string(frame(2, fmt.Sprintf("the other side belongs to user %d", other))); err != nil || string(answer) != want {
		t.Errorf("answer %q, %v", answer, err)
	}
}

// A socket that another user made in our folder isn't used.
func TestAgentOfAnotherUser(t *testing.T) {
	dir := privateDir(t)
	if err := errors.Join(os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o711), os.Chmod(dir, 0o777)); err != nil { //nolint:gosec // that is what it is about
		t.Fatal(err)
	}
	var l net.Listener
	asOther(t, func() (err error) {
		l, err = net.Listen("unix", filepath.Join(dir, "agent"))
		return err
	})
	defer l.Close()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.Dial(t.Context(), dir, request); !errors.Is(err, agent.ErrDeclined) || !strings.Contains(err.Error(), fmt.Sprint(other)) {
		t.Errorf("dial: %v", err)
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
