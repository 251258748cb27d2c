// Package demo shows what the program does, to somebody who has neither an XMPP account nor a server: it runs
// the embedded server, and plays two people with real git and this very program, each in a home of their own.
// Every step is checked.
//
// It knows the program from outside, by its commands, settings and exit statuses, and the embedded server. It must not
// know how repositories are served or asked for.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// longest is how long the whole demo may take; it takes a few seconds.
const longest = 60 * time.Second

var (
	// ErrNoGit says that there is no git to show anything with.
	ErrNoGit = errors.New("git isn't installed, or isn't in PATH")
	// ErrTooLong says that the demo was given up.
	ErrTooLong = fmt.Errorf("not done after %v", longest)
	// ErrCheck says that something isn't as it should be. The error that wraps it says what.
	ErrCheck = errors.New("check failed")
)

// Options says what to run and where to show it.
type Options struct {
	Out     io.Writer // gets the commands, what they print, and the checks
	Program string    // this program's file
}

// Run shows the demo. Whatever happens, no process and no file of it is left when it returns. The error is one
// line; it is [context.Canceled] if ctx was cancelled.
func Run(ctx context.Context, o Options) error {
	if _, err := exec.LookPath("git"); err != nil {
		return ErrNoGit
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longest, ErrTooLong)
	defer cancel()
	show := &screen{out: o.Out}
	err := inFolder(func(dir string) error { return play(ctx, show, o.Program, dir) })
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return context.Cause(ctx)
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	}
	show.say("demo: all %d checks passed", show.checks)
	return show.err
}

// inFolder runs what needs a folder for itself, and removes the folder.
func inFolder(run func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "git-remote-xmpp-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	full, err := filepath.Abs(dir) // TMPDIR may be relative
	if err != nil {
		return err
	}
	return run(full)
}

// play sets the stage in a folder, plays, and clears the stage.
func play(ctx context.Context, show *screen, program, dir string) (err error) {
	show.say("Two people with an XMPP account each, on a server that runs in this process. Everything lies in %s, which is removed at the end.", dir)
	bin := filepath.Join(dir, "bin")
	if err := install(program, bin); err != nil {
		return fmt.Errorf("put this program into %s: %w", bin, err)
	}
	server, err := startServer(ctx, dir, "alice", "bob")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	s := &story{scene: scene{ctx: ctx, screen: show}}
	s.alice, s.bob = newPerson(&s.scene, "alice", dir, bin, server), newPerson(&s.scene, "bob", dir, bin, server)
	defer s.end()
	s.tell()
	return s.err
}
