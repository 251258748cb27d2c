package integration

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
)

// A transcript is a document whose blocks show what people type and what they get: lines "NAME$ command", in a home of that name, each with what it must
// say below it. A comment <!-- NAME$ command --> runs too, as does what it must say, <!-- = line -->, and isn't seen. What is shown may leave lines out, and stands for others of its
// kind where it has a key, a UUID, an object's id, an invite or "…": once such a thing was seen, it is what the same text means further down, in commands too.
type transcript struct {
	t      *testing.T
	server *testserver.Server
	users  map[string]string // accounts by the names of homes
	homes  map[string]*documentHome
	seen   map[string]string // what a text of the document stands for
}

// A documentHome is where a document's commands are typed: a terminal that stands in a folder.
type documentHome struct {
	*home
	dir  string
	stop func() error // ends the serve that runs
}

// A step is one command with what it must say.
type step struct {
	line          int
	name, command string
	status        int // of "  # exit status 4" behind the command
	says          []string
}

var (
	promptLine = regexp.MustCompile(`^(?:    |<!-- )([a-z]+)\$ (.*?)(?: -->)?$`)
	blockLine  = regexp.MustCompile(`^(?:    |<!-- = )(.*?)(?: -->)?$`)
	cdCommand  = regexp.MustCompile(`^cd (\S+)$`)
	// standsFor finds in a document what is something else each time.
	standsFor = regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{8,43}…?|invite=[A-Za-z0-9_-]*…?|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|git-(?:run-)?[0-9a-f]{12,16}|\b[0-9a-f]{7,40}\b`)
)

// readTranscript finds the steps of a document.
func readTranscript(t *testing.T, file string) (steps []step) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if m := promptLine.FindStringSubmatch(line); m != nil {
			command, comment, _ := strings.Cut(m[2], "  # ")
			s := step{line: i + 1, name: m[1], command: strings.TrimSpace(command)}
			_, _ = fmt.Sscanf(comment, "exit status %d", &s.status) // of any other comment it stays 0
			steps = append(steps, s)
		} else if m := blockLine.FindStringSubmatch(line); m != nil && len(steps) > 0 {
			last := &steps[len(steps)-1]
			if last.line+len(last.says) == i { // nothing between the command and this line
				last.says = append(last.says, m[1])
			}
		}
	}
	return steps
}

// run plays all steps.
func (p *transcript) run(file string) {
	p.homes, p.seen = make(map[string]*documentHome), make(map[string]string)
	for _, s := range readTranscript(p.t, file) {
		h := p.homes[s.name]
		if h == nil {
			user, known := p.users[s.name]
			if !known {
				p.t.Fatalf("%s:%d: whose terminal is %q?", file, s.line, s.name)
			}
			h = &documentHome{home: newHome(p.t, p.server, s.name, user)}
			h.git(h.home.dir, "config", "--global", "--unset", "xmpp.account") // the document sets it
			h.dir = h.home.dir
			p.homes[s.name] = h
		}
		said, err := h.run(p.replace(s.command))
		if status, ok := exitStatus(err); !ok || status != s.status {
			p.t.Fatalf("%s:%d: %s$ %s: %v\n%s", file, s.line, s.name, s.command, err, said)
		}
		if missing := p.compare(s.says, said); missing != "" {
			p.t.Fatalf("%s:%d: %s$ %s: no line %q (or not there) in what it says:\n%s", file, s.line, s.name, s.command, missing, said)
		}
	}
}

// exitStatus is that of a command's error; ok is false if it didn't end by itself.
func exitStatus(err error) (status int, ok bool) {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), exit.Exited()
	}
	return 0, err == nil
}

// run runs a command as a shell does. One that ends with & is a serve, and is ready when run returns; ^C ends it.
func (h *documentHome) run(command string) (said string, err error) {
	if m := cdCommand.FindStringSubmatch(command); m != nil {
		h.dir = filepath.Join(h.dir, m[1])
		if strings.HasPrefix(m[1], "~") {
			h.dir = filepath.Join(h.home.dir, m[1][1:])
		}
		_, err := os.Stat(h.dir)
		return "", err
	}
	if serve, ok := strings.CutSuffix(command, " &"); ok {
		return h.background(serve)
	}
	if command == "^C" {
		return "", h.stop()
	}
	out, err := h.shell(command).CombinedOutput()
	return string(out), err
}

// shell prepares a command that a shell runs in the home's folder.
func (h *documentHome) shell(command string) *exec.Cmd {
	cmd := exec.CommandContext(h.t.Context(), "sh", "-c", command)
	cmd.Dir, cmd.Env, cmd.WaitDelay = h.dir, h.env, 5*time.Second
	return cmd
}

// background starts a serve, and returns the line by which it says that it is ready.
func (h *documentHome) background(command string) (string, error) {
	cmd := h.shell("exec " + command)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	line, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		first, _ := bufio.NewReader(stdout).ReadString('\n')
		line <- first
		ended <- cmd.Wait()
	}()
	h.stop = sync.OnceValue(func() error {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		return <-ended
	})
	h.t.Cleanup(func() { _ = h.stop() })
	select {
	case first := <-line:
		if !strings.HasPrefix(first, "ready ") {
			return first, errors.New("it isn't ready: " + stderr.String())
		}
		return first, nil
	case <-time.After(deadline):
		return "", errors.New("it isn't ready in time")
	}
}

// replace puts what was seen in the place of what the document shows for it.
func (p *transcript) replace(command string) string {
	return standsFor.ReplaceAllStringFunc(command, func(shown string) string {
		if seen, ok := p.seen[shown]; ok {
			return seen
		}
		return shown
	})
}

// compare looks for the lines that a command must say, in their order. It returns the first that isn't there.
func (p *transcript) compare(says []string, said string) (missing string) {
	lines := strings.Split(strings.ReplaceAll(said, "\r", "\n"), "\n")
	for _, want := range says {
		pattern, names := p.pattern(want)
		i := slices.IndexFunc(lines, func(line string) bool {
			m := pattern.FindStringSubmatch(strings.TrimRight(line, " "))
			for j := range names {
				if m != nil {
					p.seen[names[j]] = m[j+1]
				}
			}
			return m != nil
		})
		if i < 0 {
			return want
		}
		lines = lines[i+1:]
	}
	return ""
}

// pattern is what a line of the document stands for, and the names of what it shows for the first time.
func (p *transcript) pattern(line string) (_ *regexp.Regexp, names []string) {
	var text strings.Builder
	quote := func(s string) {
		text.WriteString(strings.ReplaceAll(regexp.QuoteMeta(s), "…", ".*"))
	}
	rest := line
	for rest != "" {
		at := standsFor.FindStringIndex(rest)
		if at == nil {
			break
		}
		quote(rest[:at[0]])
		shown := rest[at[0]:at[1]]
		if seen, ok := p.seen[shown]; ok {
			text.WriteString(regexp.QuoteMeta(seen))
		} else {
			text.WriteString("(" + kindOf(shown) + ")")
			names = append(names, shown)
		}
		rest = rest[at[1]:]
	}
	quote(rest)
	return regexp.MustCompile("^" + text.String() + "$"), names
}

// kindOf is a pattern of all that a text of the document may stand for.
func kindOf(shown string) string {
	switch {
	case strings.HasPrefix(shown, "SHA256:"):
		return `SHA256:[A-Za-z0-9+/]+…?`
	case strings.HasPrefix(shown, "invite="):
		return `invite=[A-Za-z0-9_-]+`
	case strings.Contains(shown, "-"):
		return `[0-9a-z-]+`
	}
	return fmt.Sprintf("[0-9a-f]{%d}", len(shown))
}
