package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

const (
	politeStop = 10 * time.Second // how long a server may take to end when asked to
	forcedStop = 10 * time.Second // how long the kernel may take to end it
)

// process is a child in a process group of its own. One goroutine starts it and
// waits for it; done is closed when the child is gone and err is set.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// startProcess starts cmd with no input and with its output appended to logFile.
func startProcess(cmd *exec.Cmd, logFile string, o Options) (*process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // the child has its own descriptor
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = ownGroup()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started, o)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// run starts and reaps the child on one operating system thread: Linux sends
// the parent death signal when the thread that forked is gone (prctl(2)).
func (p *process) run(started chan<- error, o Options) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := p.cmd.Start
	if o.federation != nil {
		start = func() error { return withHosts(o.federation.hostsFile, p.cmd.Start) }
	}
	var err error
	o.in(func() { err = start() })
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// pid returns the child's process id, which is its group's as well.
func (p *process) pid() int { return p.cmd.Process.Pid }

// exited says whether the child is gone.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends the child and returns when it is gone. If polite, the child is
// asked first, and killed only if it doesn't end by itself.
func (p *process) stop(polite bool) error {
	if polite {
		if err := p.signal(false); err != nil {
			return err
		}
		if p.wait(politeStop) {
			return nil
		}
	}
	if err := p.signal(true); err != nil {
		return err
	}
	if !p.wait(forcedStop) {
		return fmt.Errorf("process %d doesn't end", p.pid())
	}
	return nil
}

// signal asks the whole group to end, or kills it. A child that is gone is no
// error. The group's number can't have been given away while run hasn't reaped.
func (p *process) signal(kill bool) error {
	if p.exited() {
		return nil
	}
	if err := signalGroup(p.pid(), kill); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.pid(), err)
	}
	return nil
}

// wait returns true as soon as the child is gone, or false after the limit.
func (p *process) wait(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}
