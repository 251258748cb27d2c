package repo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// transactionTimeout is how long one step of a transaction may take; the
// repository's hooks for it included.
const transactionTimeout = 5 * time.Minute

// answersAtOnce is the version from which on `git update-ref --stdin` answers each command (2.33.1, to be exact).
var answersAtOnce = version{2, 34}

// change is what is to become of one ref. A zero old value means that it must
// not exist, a zero new one that it is to be deleted.
type change struct{ ref, old, new string }

// transactions changes refs through one `git update-ref --stdin` (its commands
// start, prepare, commit: git-update-ref(1)), started when needed and again after a
// failure. It runs in a group of its own: a signal to ours must not end it between
// prepare and commit.
type transactions struct {
	repo    *Repo
	message string    // for reflogs
	stderr  io.Writer // for what hooks say
	// late is set for a git that answers when it ends, and not before (see
	// answersAtOnce). Then nothing is locked by prepare, and each transaction takes a git of its own.
	late    bool
	waiting []byte // what late has put off

	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	fatal *complaints
}

// prepare locks all refs of a transaction and checks their old values. After
// an error nothing is locked.
func (t *transactions) prepare(changes []change) error {
	var b bytes.Buffer
	b.WriteString("start\x00")
	for _, c := range changes {
		fmt.Fprintf(&b, "update %s\x00%s\x00%s\x00", c.ref, c.new, c.old)
	}
	b.WriteString("prepare\x00")
	if t.late {
		t.waiting = b.Bytes()
		return nil
	}
	return t.do(b.Bytes(), "start: ok", "prepare: ok")
}

// commit carries out what was prepared.
func (t *transactions) commit() error {
	if t.late {
		err := t.do(append(t.waiting, "commit\x00"...), "start: ok", "prepare: ok", "commit: ok")
		_ = t.close() // what was committed stays, whatever git ends with
		return err
	}
	return t.do([]byte("commit\x00"), "commit: ok")
}

// abort gives up what was prepared.
func (t *transactions) abort() error {
	if t.late {
		return nil
	}
	return t.do([]byte("abort\x00"), "abort: ok")
}

// close ends git; what was prepared and not committed is given up.
func (t *transactions) close() error {
	if t.cmd == nil {
		return nil
	}
	t.in.Close()
	err := t.cmd.Wait()
	t.cmd = nil
	return err
}

func (t *transactions) start() (err error) {
	cmd := exec.Command("git", "--git-dir="+t.repo.Dir,
		"update-ref", "--create-reflog", "-m", t.message, "--stdin", "-z")
	cmd.Dir, cmd.Env, cmd.WaitDelay = t.repo.Dir, t.repo.env, pipeGrace
	ownGroup(cmd)
	t.fatal = &complaints{to: t.stderr}
	cmd.Stderr = t.fatal
	if t.in, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("git update-ref: %w", err)
	}
	t.cmd, t.out = cmd, bufio.NewReader(out)
	return nil
}

// do sends commands and expects git to answer by these lines, one each.
func (t *transactions) do(commands []byte, answers ...string) error {
	if t.cmd == nil {
		if err := t.start(); err != nil {
			return err
		}
	}
	process := t.cmd.Process
	watch := time.AfterFunc(transactionTimeout, func() { _ = process.Kill() })
	defer watch.Stop()
	_, err := t.in.Write(commands) // may fail half-way: then git has said why
	if t.late {
		t.in.Close()
	}
	for _, want := range answers {
		line, readErr := t.out.ReadString('\n')
		if readErr == nil && strings.TrimSpace(line) == want {
			continue
		}
		err = errors.Join(err, t.close())
		if said := t.fatal.first; said != "" {
			return &refError{said: said, dir: t.repo.Dir}
		}
		return fmt.Errorf("git update-ref: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	return err
}

// refError is git's refusal to change refs.
type refError struct{ said, dir string }

func (e *refError) Error() string { return "git update-ref: " + e.said }

// maxReasonBytes bounds what a pusher is told about one ref.
const maxReasonBytes = 400

// reason is the refusal for the pusher: git's words, no path of ours.
func (e *refError) reason() string {
	s := strings.TrimPrefix(strings.TrimPrefix(e.said, "fatal: "), "error: ")
	for _, verb := range []string{"start: ", "prepare: ", "commit: "} {
		s = strings.TrimPrefix(s, verb)
	}
	s = strings.ReplaceAll(s, e.dir+"/", "")
	if len(s) > maxReasonBytes || strings.Contains(s, "'/") {
		return "failed to update ref"
	}
	return s
}

// maxComplaintBytes bounds a line that git or a hook says on stderr.
const maxComplaintBytes = 4096

// complaints passes on what comes line by line, but for git's own complaints, which
// may hold paths: of those it keeps the first. A fatal one is git's last word, however many lines it has.
type complaints struct {
	to    io.Writer
	first string
	fatal bool
	line  []byte
}

func (c *complaints) Write(p []byte) (int, error) {
	for _, b := range p {
		if len(c.line) < maxComplaintBytes {
			c.line = append(c.line, b)
		}
		if b != '\n' {
			continue
		}
		line := string(c.line)
		c.line = c.line[:0]
		c.fatal = c.fatal || strings.HasPrefix(line, "fatal: ")
		if !c.fatal && !strings.HasPrefix(line, "error: ") {
			_, _ = io.WriteString(c.to, line) // nobody may be listening any more
		} else if c.first == "" {
			c.first = strings.TrimSpace(line)
		}
	}
	return len(p), nil
}
