package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"git-remote-xmpp/internal/refname"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// errProcReceive says that git doesn't speak the proc-receive protocol as we know it.
var errProcReceive = errors.New("proc-receive: unexpected input")

// maxCommands bounds how many refs one push may name.
const maxCommands = 1 << 20

// command is one ref that the pusher wants changed.
type command struct{ old, new, ref string }

// request is what receive-pack hands to the hook.
type request struct {
	atomic   bool
	features []string // that receive-pack has named
	commands []command
	options  []string // push options
}

// report is what becomes of one command.
type report struct {
	ref    string // as in the command
	reason string // why nothing is done; "" if it is
	// fallThrough leaves the ref to receive-pack.
	fallThrough bool
	// raw is what the repository's own hook has reported instead of all that follows.
	raw []string
	// done is the ref that is really changed, with its old value and the commit
	// that was pushed: git tells it the pusher, and the post-receive hook (see reallyChanged).
	done   change
	forced bool
}

// receive is the proc-receive hook: it reads the commands of a push, carries
// them out and reports. The protocol is described in githooks(5).
func receive(ctx context.Context, integrate string, stdin io.Reader, stdout, stderr io.Writer) error {
	r, err := newReceiver(ctx, integrate, stderr)
	if err != nil {
		return err
	}
	req, err := readRequest(pktline.NewScanner(stdin), stdout)
	if err != nil {
		return err
	}
	reports, err := r.run(ctx, req)
	if err != nil {
		return err
	}
	return writeReports(stdout, req.commands, reports)
}

// newReceiver makes a receiver from what Command put into the environment.
func newReceiver(ctx context.Context, integrate string, stderr io.Writer) (*receiver, error) {
	sender, err := senderFrom(os.Getenv)
	if err != nil {
		return nil, err
	}
	refs, err := refname.ParsePatterns(os.Getenv(envRefs))
	if err != nil {
		return nil, err
	}
	clean := hookEnviron(os.Environ())
	repo, err := fromEnviron(ctx, clean)
	if err != nil {
		return nil, err
	}
	return repo.receiver(ctx, sender, Policy{Integrate: integrate, Refs: refs}, os.Getenv(envHooks), clean, stderr)
}

// readRequest agrees on the version, then reads commands and push options. The
// options are for the repository's own proc-receive hook; its other hooks get them from git.
func readRequest(in *pktline.Scanner, out io.Writer) (request, error) {
	version, features, err := readHello(in)
	if err == nil && version != "1" {
		err = fmt.Errorf("%w: version %q", errProcReceive, version)
	}
	req := request{features: features, atomic: slices.Contains(features, "atomic")}
	answer, options := []string{"atomic"}, slices.Contains(features, pushOptions)
	if options { // git sends some, if only none, to whoever says this
		answer = append(answer, pushOptions)
	}
	if err == nil {
		err = writeHello(out, answer)
	}
	if err != nil {
		return req, err
	}
	lines, err := readSection(in, maxCommands)
	if err != nil {
		return req, err
	}
	for _, line := range lines {
		c, err := parseCommand(line)
		if err != nil {
			return req, err
		}
		req.commands = append(req.commands, c)
	}
	if options {
		req.options, err = readSection(in, maxCommands)
	}
	return req, err
}

// parseCommand reads `<old-oid> SP <new-oid> SP <ref>`.
func parseCommand(line string) (command, error) {
	f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
	if len(f) != 3 || !isObjectID(f[0]) || !isObjectID(f[1]) || len(f[0]) != len(f[1]) {
		return command{}, fmt.Errorf("%w: command %q", errProcReceive, line)
	}
	return command{f[0], f[1], f[2]}, nil
}

// writeReports tells git what has become of the commands, so that it tells the
// pusher the truth.
func writeReports(out io.Writer, commands []command, reports []report) error {
	var lines []string
	for i, r := range reports {
		lines = append(lines, r.lines(commands[i])...)
	}
	return writeSection(out, lines)
}

// lines are the report of a command. What was done to the letter needs no more words, which with many refs would be most of what the pusher gets.
func (r report) lines(c command) []string {
	if r.reason != "" {
		return []string{"ng " + r.ref + " " + oneLine(r.reason)}
	}
	if r.raw != nil {
		return r.raw
	}
	ok := "ok " + r.ref
	switch {
	case r.fallThrough:
		return []string{ok, "option fall-through"}
	case r.done == (change{c.ref, c.old, c.new}) && !r.forced:
		return []string{ok}
	}
	lines := []string{ok, "option refname " + r.done.ref,
		"option old-oid " + r.done.old, "option new-oid " + r.done.new}
	if r.forced {
		lines = append(lines, "option forced-update")
	}
	return lines
}

// oneLine makes s fit to stand in a status line.
func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
