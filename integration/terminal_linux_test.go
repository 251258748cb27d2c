package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A terminal is a program that somebody sits in front of.
type terminal struct {
	t      *testing.T
	screen *os.File // what the program writes to it, and what is typed

	mu    sync.Mutex
	shown bytes.Buffer
	more  chan struct{} // closed, and made anew, whenever more is shown
	ended bool
}

// onTerminal starts a program on a terminal. It ends with the test.
func onTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(screen.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 500}) // no line is broken
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close() // the program has it
	term := &terminal{t: t, screen: screen, more: make(chan struct{})}
	var task sync.WaitGroup
	task.Go(term.read)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // it was killed
		_ = screen.Close()     // nothing is written any more
		task.Wait()
	})
	return term
}

// read takes in what the program writes, until nobody has the terminal any more.
func (term *terminal) read() {
	chunk := make([]byte, 4096)
	for {
		n, err := term.screen.Read(chunk)
		term.mu.Lock()
		term.shown.Write(chunk[:n])
		close(term.more)
		term.more = make(chan struct{})
		term.ended = err != nil
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// types types, and waits for a text, which must not be what was typed. It returns what was shown until then.
func (term *terminal) types(keys, until string) string {
	term.t.Helper()
	term.mu.Lock()
	term.shown.Reset()
	term.mu.Unlock()
	if _, err := term.screen.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(term.t.Context(), deadline)
	defer cancel()
	for {
		term.mu.Lock()
		shown, more, ended := term.shown.String(), term.more, term.ended
		term.mu.Unlock()
		if bytes.Contains([]byte(shown), []byte(until)) {
			return shown
		}
		if ended {
			term.t.Fatalf("typed %q: no %q before the end: %q", keys, until, shown)
		}
		select {
		case <-more:
		case <-ctx.Done():
			term.t.Fatalf("typed %q: no %q: %q", keys, until, shown)
		}
	}
}
