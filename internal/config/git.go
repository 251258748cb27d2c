package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

const (
	// maxGitOutputBytes is the most that one question to git may answer.
	maxGitOutputBytes = 1 << 20
	// gitExitDelay is how long git's own children may keep its output open
	// after git is gone.
	gitExitDelay = 2 * time.Second
	// caFileKey is the one setting that is a path.
	caFileKey = "xmpp.sslCAInfo"
)

var errOutputTooLong = errors.New("git says more than 1 MiB")

// source is where git is asked: a folder and an environment.
type source struct {
	dir string
	env []string
}

func newSource(dir string, env []string) *source {
	if env == nil {
		env = os.Environ()
	}
	return &source{dir: dir, env: env}
}

// getenv returns the value of a variable, the last one if there are several,
// as os/exec has it. It is empty if there is none.
func (s *source) getenv(name string) string {
	for i := len(s.env) - 1; i >= 0; i-- {
		k, v, _ := strings.Cut(s.env[i], "=")
		if k == name || runtime.GOOS == "windows" && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// gitSettings returns what git config says, by key in lower case. The last
// value of a key counts.
func (s *source) gitSettings(ctx context.Context) (map[string]string, error) {
	out, err := s.git(ctx, nil, nil, "config", "--null", "--get-regexp", `^(xmpp\..*|protocol\.version)$`)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil, nil // git config: "the section or key is invalid", here: nothing found
	}
	if err != nil {
		return nil, err
	}
	values := parseSettings(out)
	ca := strings.ToLower(caFileKey)
	if values[ca] != "" {
		out, err := s.git(ctx, nil, nil, "config", "--null", "--type=path", "--get", caFileKey)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", caFileKey, err)
		}
		values[ca] = strings.TrimSuffix(string(out), "\x00")
	}
	return values, nil
}

// parseSettings reads the output of git config --null: each key is followed by
// a line break and its value, or by nothing, which means true, and by a NUL.
func parseSettings(out []byte) map[string]string {
	values := map[string]string{}
	for item := range strings.SplitSeq(string(out), "\x00") {
		key, value, ok := strings.Cut(item, "\n")
		if !ok {
			value = "true"
		}
		if key != "" {
			values[key] = value
		}
	}
	return values
}

// git runs git with stdin and returns what it prints. extraEnv goes over the
// environment. Secrets of this program are taken out of it: git and the
// programs that it starts have no use for them.
func (s *source) git(ctx context.Context, stdin []byte, extraEnv []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = s.dir
	cmd.Stdin = bytes.NewReader(stdin)
	stdout := &limitedBuffer{}
	stderr := &limitedBuffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = gitExitDelay
	for _, v := range s.env {
		if !strings.HasPrefix(v, passwordVar+"=") && !strings.HasPrefix(v, identityVar+"=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, extraEnv...)
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, gitError(err, stderr.String())
	}
	return stdout.Bytes(), nil
}

// SetGlobal runs git config --global with such arguments: a setting for all repositories of the user.
func SetGlobal(ctx context.Context, args ...string) error {
	if _, err := newSource("", nil).git(ctx, nil, nil, append([]string{"config", "--global", "--replace-all"}, args...)...); err != nil {
		return fmt.Errorf("git config --global %s: %w", args[0], err)
	}
	return nil
}

// gitError puts what git complained about to its exit status: its first line, or the one that says it is fatal if git traces before it.
func gitError(err error, stderr string) error {
	complaint, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	for line := range strings.Lines(stderr) {
		if text, ok := strings.CutPrefix(line, "fatal: "); ok {
			complaint = text
			break
		}
	}
	if complaint = strings.TrimSpace(complaint); complaint == "" {
		return err
	}
	return &gitFailure{line: complaint, err: err}
}

// gitFailure is a failure of git in git's own words.
type gitFailure struct {
	line string
	err  error
}

func (e *gitFailure) Error() string { return e.line }
func (e *gitFailure) Unwrap() error { return e.err }

// limitedBuffer refuses to grow over maxGitOutputBytes.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxGitOutputBytes {
		return 0, errOutputTooLong
	}
	return b.Buffer.Write(p)
}
