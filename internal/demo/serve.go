package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	// stopGrace is how long serve has to end.
	stopGrace = 8 * time.Second
	// maxLogBytes is how much of serve's log is kept, its end.
	maxLogBytes = 64 << 10
)

// A daemon is a serve that runs.
type daemon struct {
	cmd  *exec.Cmd
	log  *tail
	stop func() error // ends it, and returns how it ended; to be called once
}

// serve shows and starts serve in the folder, and waits until it is ready. It runs until stop.
func (p *person) serve() *daemon {
	if p.over() {
		return nil
	}
	p.typed(p.name, []string{programName, "serve"}, " &")
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.ctx))
	d := &daemon{cmd: exec.CommandContext(ctx, programFile(p.bin), "serve"), log: &tail{}}
	d.cmd.Dir, d.cmd.Env, d.cmd.Stderr, d.cmd.WaitDelay = p.dir, p.env, d.log, stopGrace
	ownGroup(d.cmd)
	d.cmd.Cancel = func() error { return terminate(d.cmd) }
	stdout, err := d.cmd.StdoutPipe()
	if err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		cancel()
		p.fail(fmt.Errorf("%s: serve: %w", p.name, err))
		return nil
	}
	first, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		r := bufio.NewReader(io.LimitReader(stdout, maxOutputBytes))
		line, _ := r.ReadString('\n') // a line that isn't whole is told as what it is
		first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, r) // until it ends
		err := d.cmd.Wait()
		kill(d.cmd)
		ended <- err
	}()
	d.stop = func() error {
		select { // has it ended by itself?
		case err := <-ended:
			cancel()
			return fmt.Errorf("serve ended too early: %v", err)
		default:
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) { // that is what a good end after being asked to is called
			return err
		}
		return nil
	}
	p.await(first)
	return d
}

// await shows the line that says that serve is ready.
func (p *person) await(first <-chan string) {
	select {
	case line := <-first:
		p.say("%s", line)
		if !strings.HasPrefix(line, "ready "+p.name+"@") {
			p.fail(fmt.Errorf("%s: serve says %q, not that it is ready", p.name, line))
		}
	case <-p.ctx.Done():
		p.fail(context.Cause(p.ctx))
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - maxLogBytes; over > 0 {
		t.text = append([]byte(nil), t.text[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
