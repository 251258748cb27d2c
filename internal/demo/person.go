package demo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// maxOutputBytes is the most that one command may print.
	maxOutputBytes = 1 << 20
	// commandGrace is how long a command that is called off has to end.
	commandGrace = 3 * time.Second
)

// errOutput says that a command prints more than maxOutputBytes.
var errOutput = errors.New("prints more than 1 MiB")

// A person has a home, with git's settings and the keys, and stands in a folder.
type person struct {
	*scene
	name   string // also of the account
	home   string
	dir    string
	bin    string // where the program is
	env    []string
	server *server
}

func newPerson(s *scene, name, root, bin string, server *server) *person {
	p := &person{scene: s, name: name, home: filepath.Join(root, name), bin: bin, server: server}
	p.dir, p.env = p.home, environ(p.home, bin, server.passwords[name])
	if err := os.Mkdir(p.home, 0o700); err != nil {
		s.fail(err)
	}
	return p
}

// environ is the environment of a person's commands: ours, without what would make git and the program behave
// in another way than here, or find the files of the user who watches.
func environ(home, bin, password string) []string {
	env := []string{
		"HOME=" + home, "USERPROFILE=" + home, "APPDATA=" + home, "LC_ALL=C",
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_XMPP_PASSWORD=" + password,
	}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		name = strings.ToUpper(name)
		switch name {
		case "HOME", "USERPROFILE", "APPDATA", "LANG", "LANGUAGE", "PATH", "PWD", "EMAIL", "SSH_ASKPASS":
			continue
		}
		if !strings.HasPrefix(name, "GIT_") && !strings.HasPrefix(name, "XDG_") && !strings.HasPrefix(name, "LC_") {
			env = append(env, kv)
		}
	}
	return env
}

// run shows and runs a command, and what it prints. It has to succeed.
func (p *person) run(words ...string) string {
	if p.over() {
		return ""
	}
	p.typed(p.name, words, "")
	out := &output{}
	cmd := p.command(words...)
	cmd.Stdout, cmd.Stderr = out, out
	err := p.wait(cmd)
	text := out.String()
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	p.print(text)
	if err != nil {
		p.fail(fmt.Errorf("%s: %s: %w", p.name, strings.Join(words[:min(len(words), 2)], " "), err))
	}
	return strings.TrimSpace(text)
}

// git runs git without showing it, and returns what it prints.
func (p *person) git(args ...string) string {
	if p.over() {
		return ""
	}
	out, errOut := &output{}, &output{}
	cmd := p.command(append([]string{"git"}, args...)...)
	cmd.Stdout, cmd.Stderr = out, errOut
	if err := p.wait(cmd); err != nil {
		p.fail(fmt.Errorf("%s: git %s: %w: %s", p.name, args[0], err, squeeze(errOut.String())))
	}
	return strings.TrimSpace(out.String())
}

// cd goes to a folder in the home.
func (p *person) cd(name string) {
	if p.over() {
		return
	}
	p.dir = filepath.Join(p.home, name)
	p.typed(p.name, []string{"cd", name}, "")
}

// commit shows how a file gets a line and is committed, does it, and returns the commit.
func (p *person) commit(file, line string) string {
	if p.over() {
		return ""
	}
	p.typed(p.name, []string{"echo", line, ">", file}, "")
	if err := os.WriteFile(filepath.Join(p.dir, file), []byte(line+"\n"), 0o600); err != nil {
		p.fail(err)
	}
	p.run("git", "add", file)
	p.run("git", "commit", "--quiet", "-m", line)
	return p.git("rev-parse", "HEAD")
}

func (p *person) command(words ...string) *exec.Cmd {
	file := words[0]
	if file == programName {
		file = programFile(p.bin)
	}
	cmd := exec.CommandContext(p.ctx, file, words[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = p.dir, p.env, commandGrace
	ownGroup(cmd)
	cmd.Cancel = func() error { return terminate(cmd) }
	return cmd
}

// wait runs a command to its end. Nothing that it has started is left if it was called off.
func (p *person) wait(cmd *exec.Cmd) error {
	err := cmd.Run()
	if p.ctx.Err() != nil && cmd.Process != nil {
		kill(cmd)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = errors.New("left something running")
	}
	return err
}

// output keeps what a command prints.
type output struct{ bytes.Buffer }

func (o *output) Write(b []byte) (int, error) {
	if o.Len()+len(b) > maxOutputBytes {
		return 0, errOutput
	}
	return o.Buffer.Write(b)
}
