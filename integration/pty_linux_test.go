package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A pty is a command on a terminal of its own, as a person sees it.
type pty struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	ended  chan error

	mu     sync.Mutex
	screen bytes.Buffer
	seen   int // how much of it has been waited for
	more   chan struct{}
}

// onTerminal starts a command on a terminal.
func onTerminal(t *testing.T, cmd *exec.Cmd) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	p := &pty{t: t, cmd: cmd, master: master, ended: make(chan error, 1), more: make(chan struct{}, 1)}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.read()
	}()
	go func() { p.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		p.ended <- <-p.ended
		<-read // ends when nobody has the other end any more
		_ = master.Close()
	})
	return p
}

func (p *pty) read() {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		p.screen.Write(buf[:n])
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// shown is all that was on the terminal.
func (p *pty) shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.ReplaceAll(p.screen.String(), "\r\n", "\n")
}

// await waits until something is shown that wasn't waited for before.
func (p *pty) await(text string) {
	p.t.Helper()
	for timeout := time.After(deadline); ; {
		shown := p.shown()
		if i := strings.Index(shown[p.seen:], text); i >= 0 {
			p.seen += i + len(text)
			return
		}
		select {
		case <-p.more:
		case <-timeout:
			p.t.Fatalf("no %q on the terminal: %q", text, shown)
		}
	}
}

// awaitHidden waits until what is typed isn't shown, or, with false, until it is.
func (p *pty) awaitHidden(hidden bool) {
	p.t.Helper()
	for end := time.Now().Add(deadline); ; time.Sleep(time.Millisecond) { // nobody tells of it
		state, err := unix.IoctlGetTermios(int(p.master.Fd()), unix.TCGETS)
		if err != nil {
			p.t.Fatal(err)
		}
		if hidden == (state.Lflag&unix.ECHO == 0) {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("hidden is %v", !hidden)
		}
	}
}

// enter types something and the return key.
func (p *pty) enter(text string) {
	p.t.Helper()
	if _, err := p.master.WriteString(text + "\r"); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end and returns the exit status.
func (p *pty) wait() int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
	case <-time.After(deadline):
		p.t.Fatalf("it doesn't end: %q", p.shown())
	}
	return p.cmd.ProcessState.ExitCode()
}
