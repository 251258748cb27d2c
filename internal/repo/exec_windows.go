package repo

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
)

// maxInterpreterBytes bounds the line that names a script's interpreter.
const maxInterpreterBytes = 255

// becomeHook runs the hook as a child and returns its exit status.
func becomeHook(ctx context.Context, path string, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	cmd, err := hookCommand(ctx, path, args...)
	if err != nil {
		return 0, err
	}
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, stdin, stdout, stderr
	cmd.WaitDelay = pipeGrace
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	case errors.Is(err, exec.ErrWaitDelay):
		return 0, nil // it has left something behind that holds its input
	}
	return 0, err
}

// hookCommand prepares a hook as a child. A script's interpreter is looked up
// on PATH by its base name, as Git for Windows does.
func hookCommand(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	interpreter, err := interpreterOf(path)
	if err != nil {
		return nil, err
	}
	if interpreter == nil {
		return exec.CommandContext(ctx, path, args...), nil
	}
	args = append(append(interpreter[1:], path), args...)
	return exec.CommandContext(ctx, interpreter[0], args...), nil
}

// interpreterOf returns the interpreter and its argument that a script's first
// line names, nil if it isn't a script.
func interpreterOf(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	line, _ := bufio.NewReader(io.LimitReader(f, maxInterpreterBytes)).ReadString('\n')
	line, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return nil, nil
	}
	name, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
	name, arg = path.Base(name), strings.TrimSpace(arg)
	if name == "env" {
		name, arg, _ = strings.Cut(arg, " ")
	}
	program, err := exec.LookPath(name)
	if err != nil {
		return nil, err
	}
	if arg == "" {
		return []string{program}, nil
	}
	return []string{program, arg}, nil
}
