package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// maxOwnReportBytes bounds what the repository's own proc-receive hook says.
const maxOwnReportBytes = 64 << 20

// pushOptions is the feature of the proc-receive protocol by which a hook gets push options.
const pushOptions = "push-options"

// reasonOwnHook is git's word for a ref that the hook was to deal with, and didn't.
const reasonOwnHook = "fail to run proc-receive hook"

// runOwn runs the hook if there are commands for it.
func (r *receiver) runOwn(ctx context.Context, req request) (reports map[string]report, failed bool, err error) {
	commands, err := r.ownCommands(ctx, req.commands)
	if err != nil || len(commands) == 0 {
		return nil, false, err
	}
	reports, failed = r.askOwn(ctx, req, commands)
	return reports, failed, r.reload(ctx) // the hook may have moved refs
}

// failAll is for an atomic push of which the rest has failed.
func failAll(own map[string]report) {
	for ref, r := range own {
		r.reason = reasonAtomic
		own[ref] = r
	}
}

// inOrder puts the hook's reports among ours, in the commands' order.
func inOrder(commands []command, own map[string]report, ours []report) []report {
	var all []report
	for _, c := range commands {
		r, ok := own[c.ref]
		if !ok {
			r, ours = ours[0], ours[1:]
		}
		all = append(all, r)
	}
	return all
}

// askOwn hands commands to the repository's own proc-receive hook, as receive-pack would without us, and returns
// what it has reported, by ref; a command that isn't among them falls through to us. failed is set if anything is wrong, and the pusher
// told in git's words.
func (r *receiver) askOwn(ctx context.Context, req request, commands []command) (reports map[string]report, failed bool) {
	lines, err := r.ownReport(ctx, req, commands)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.say("error: " + err.Error())
	}
	if err != nil && lines == nil {
		reports = make(map[string]report)
		for _, c := range commands {
			reports[c.ref] = report{ref: c.ref, reason: reasonOwnHook}
		}
		return reports, true
	}
	reports, complaints := parseOwnReport(lines, commands)
	for _, complaint := range complaints {
		r.say("error: " + complaint)
	}
	failed = err != nil || len(complaints) > 0
	for ref, report := range reports {
		failed = failed || report.reason != ""
		if report.fallThrough {
			delete(reports, ref)
		}
	}
	return reports, failed
}

// ownReport runs the hook and returns its report's packets, nil if there is no report.
func (r *receiver) ownReport(ctx context.Context, req request, commands []command) ([]string, error) {
	path := findHook(r.hooks, procReceive)
	if path == "" {
		return nil, errors.New("cannot find hook 'proc-receive'")
	}
	cmd, err := hookCommand(ctx, path)
	if err != nil {
		return nil, errors.New("cannot run hook 'proc-receive'")
	}
	cmd.Dir, cmd.Env, cmd.Stderr, cmd.WaitDelay = r.repo.Dir, r.hookEnv, r.stderr, pipeGrace
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if inErr != nil || outErr != nil || cmd.Start() != nil {
		return nil, errors.New("cannot run hook 'proc-receive'")
	}
	closeBoth := func() { in.Close(); out.Close() }
	stop := context.AfterFunc(ctx, closeBoth) // what the hook has started may hold the other ends
	defer stop()
	lines, err := converse(in, out, req, commands)
	closeBoth()
	if ended := cmd.Wait(); err == nil && !errors.Is(ended, exec.ErrWaitDelay) {
		err = ended
	}
	return lines, err
}

// converse is receive-pack's part of the conversation with the hook (githooks(5)).
func converse(in io.WriteCloser, out io.Reader, req request, commands []command) ([]string, error) {
	answers := pktline.NewScanner(io.LimitReader(out, maxOwnReportBytes))
	if writeHello(in, req.features) != nil {
		return nil, errors.New("fail to negotiate version with proc-receive hook")
	}
	version, features, err := readHello(answers)
	if err != nil {
		return nil, errors.New("fail to negotiate version with proc-receive hook")
	}
	if version != "" && version != "0" && version != "1" {
		return nil, fmt.Errorf("proc-receive version '%.20s' is not supported", version)
	}
	var told []string
	for _, c := range commands {
		told = append(told, c.old+" "+c.new+" "+c.ref)
	}
	written := make(chan struct{})
	go func() { // beside reading: a hook may report what it has done before it has read all
		defer close(written)
		defer in.Close()
		if writeSection(in, told) == nil && slices.Contains(features, pushOptions) { // also if there are none, as git does
			_ = writeSection(in, req.options) // what a hook doesn't read it has no use for
		}
	}()
	lines, err := readSection(answers, maxCommands)
	in.Close()
	<-written
	if err != nil && lines == nil {
		return nil, errors.New("proc-receive exited abnormally")
	}
	return slices.Concat([]string{}, lines), nil // never nil: a report may be empty
}
