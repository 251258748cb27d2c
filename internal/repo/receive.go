package repo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

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
	commands []command
}

// report is what becomes of one command.
type report struct {
	ref    string // as in the command
	reason string // why nothing is done; "" if it is
	// fallThrough leaves the ref to receive-pack.
	fallThrough bool
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
	out := bufio.NewWriter(stdout)
	req, err := readRequest(pktline.NewScanner(stdin), out)
	if err != nil {
		return err
	}
	reports, err := r.run(ctx, req)
	if err != nil {
		return err
	}
	return writeReports(out, reports)
}

// newReceiver makes a receiver from what Command put into the environment.
func newReceiver(ctx context.Context, integrate string, stderr io.Writer) (*receiver, error) {
	sender, err := senderFrom(os.Getenv)
	if err != nil {
		return nil, err
	}
	clean := hookEnviron(os.Environ())
	repo, err := fromEnviron(ctx, clean)
	if err != nil {
		return nil, err
	}
	late, err := repo.olderThan(ctx, 2, 34)
	if err != nil {
		return nil, err
	}
	return &receiver{
		repo: repo, sender: sender, integrate: integrate,
		hooks: os.Getenv(envHooks), hookEnv: clean, stderr: stderr,
		txn:      &transactions{repo: repo, message: sender.reflog(), stderr: stderr, late: late},
		declined: make(map[string]bool),
	}, nil
}

// readRequest agrees on the version, then reads commands and push options. The
// options are for the repository's own hooks, which get them from git.
func readRequest(in *pktline.Scanner, out *bufio.Writer) (request, error) {
	var req request
	hello, err := readSection(in, 1)
	if err != nil {
		return req, err
	}
	version, features, _ := strings.Cut(hello[0], "\x00")
	if strings.TrimSuffix(version, "\n") != "version=1" {
		return req, fmt.Errorf("%w: version %q", errProcReceive, version)
	}
	options := false
	for f := range strings.FieldsSeq(features) {
		req.atomic = req.atomic || f == "atomic"
		options = options || f == "push-options"
	}
	enc := pktline.NewEncoder(out)
	if err := enc.EncodeString("version=1\x00push-options atomic\n", pktline.FlushString); err != nil {
		return req, err
	}
	if err := out.Flush(); err != nil {
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
		_, err = readSection(in, maxCommands)
	}
	return req, err
}

// readSection reads packets up to the next flush-pkt, at most limit of them.
// The hook's first section is never empty.
func readSection(in *pktline.Scanner, limit int) ([]string, error) {
	var lines []string
	for in.Scan() {
		if len(in.Bytes()) == 0 {
			if limit == 1 && len(lines) == 0 {
				return nil, fmt.Errorf("%w: no version", errProcReceive)
			}
			return lines, nil
		}
		if len(lines) == limit {
			return nil, fmt.Errorf("%w: more than %d packets", errProcReceive, limit)
		}
		lines = append(lines, string(in.Bytes()))
	}
	return nil, errors.Join(in.Err(), io.ErrUnexpectedEOF)
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
func writeReports(out *bufio.Writer, reports []report) error {
	enc := pktline.NewEncoder(out)
	for _, r := range reports {
		for _, line := range r.lines() {
			if err := enc.EncodeString(line); err != nil {
				return err
			}
		}
	}
	if err := enc.Flush(); err != nil {
		return err
	}
	return out.Flush()
}

func (r report) lines() []string {
	if r.reason != "" {
		return []string{"ng " + r.ref + " " + oneLine(r.reason)}
	}
	ok := "ok " + r.ref
	if r.fallThrough {
		return []string{ok, "option fall-through"}
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
