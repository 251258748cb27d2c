package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// pipeGrace is how long a git command's pipes may stay open after it has ended
// or was told to, before they are closed under whoever still holds them.
const pipeGrace = 5 * time.Second

// git runs a git command on the repository and returns what it printed.
func (r *Repo) git(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	return run(ctx, r.Dir, r.env, stdin, append([]string{"--git-dir=" + r.Dir}, args...)...)
}

// run runs git in dir and returns what it printed, also beside an error. An error
// carries the first line of git's own complaint.
func run(ctx context.Context, dir string, environ []string, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, environ, stdin
	cmd.WaitDelay = pipeGrace
	out, err := cmd.Output()
	if err != nil {
		err = describe(ctx, args, err)
	}
	return string(out), err
}

// describe wraps the error of a git command once, with the name of the command.
func describe(ctx context.Context, args []string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("git %s: %w", subcommand(args), context.Cause(ctx))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if line := firstLine(string(exit.Stderr)); line != "" {
			return fmt.Errorf("git %s: %w: %s", subcommand(args), err, line)
		}
	}
	return fmt.Errorf("git %s: %w", subcommand(args), err)
}

// exitStatus is the status that a command behind err ended with, or -1 if err
// is not about a command that ran to its end.
func exitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// isAncestor reports whether commit a is b or an ancestor of b. Commits that
// git can't read are no ancestors.
func (r *Repo) isAncestor(ctx context.Context, a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	_, err := r.git(ctx, nil, "merge-base", "--is-ancestor", a, b)
	if err != nil && exitStatus(err) > 0 {
		return false, nil
	}
	return err == nil, err
}

// refs returns the values of all refs under the given prefixes, by full name.
func (r *Repo) refs(ctx context.Context, prefixes ...string) (map[string]string, error) {
	out, err := r.git(ctx, nil, append([]string{"for-each-ref", "--format=%(objectname) %(refname)"}, prefixes...)...)
	return parseRefs(out), err
}

// parseRefs reads lines of a value and a name each.
func parseRefs(out string) map[string]string {
	refs := make(map[string]string)
	for line := range strings.Lines(out) {
		id, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if ok {
			refs[name] = id
		}
	}
	return refs
}

// config returns the values of a setting in git's order, none if it isn't set.
func (r *Repo) config(ctx context.Context, key string) ([]string, error) {
	out, err := r.git(ctx, nil, "config", "-z", "--get-all", key)
	if exitStatus(err) == 1 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"), nil
}

// configBool returns the value of a boolean setting, false if it isn't set.
func (r *Repo) configBool(ctx context.Context, key string) (bool, error) {
	out, err := r.git(ctx, nil, "config", "--type=bool", "--get", key)
	if exitStatus(err) == 1 {
		return false, nil
	}
	return strings.TrimSpace(out) == "true", err
}

// subcommand is the first of git's arguments that is no option.
func subcommand(args []string) string {
	for i, a := range args {
		if !strings.HasPrefix(a, "-") && (i == 0 || args[i-1] != "-c") {
			return a
		}
	}
	return ""
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// isObjectID reports whether s is an object id in hexadecimal, of SHA-1 or SHA-256.
func isObjectID(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// isZero reports whether an object id means 'no object'.
func isZero(id string) bool { return strings.Trim(id, "0") == "" }

// zeroLike is the zero object id that is as long as id.
func zeroLike(id string) string { return strings.Repeat("0", len(id)) }
