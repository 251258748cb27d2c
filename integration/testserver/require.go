package testserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The servers' names, for Available, Require and Start.
const (
	Prosody  = "prosody"
	Ejabberd = "ejabberd"
	SSHD     = "sshd"
	TURN     = "turnserver"
)

// Programs that aren't servers, and are required as they are.
const (
	GitLFS = "git-lfs"
	Man    = "man"
	Mandoc = "mandoc"
	Zsh    = "zsh"
	Fish   = "fish"
)

// BashCompletion is Debian's package with that, and bash.
const BashCompletion = "bash-completion"

// bashCompletionFile is where it is.
const bashCompletionFile = "/usr/share/bash-completion/bash_completion"

// Tmux is a program that isn't a server, either: terminals, with somebody before them.
const Tmux = "tmux"

// ProsodyModules are those for [Options.SASL2], which aren't Prosody's own.
const ProsodyModules = "prosody-modules"

// prosodyModulesDir is where Debian has them.
const prosodyModulesDir = "/usr/lib/prosody/modules"

// RequireEnv is the environment variable that turns a missing server from a
// skipped test into a failed one when it is "1".
const RequireEnv = "REQUIRE_SERVERS"

// Available returns nil if the server of that name can be started here, or an
// error that says what is missing.
func Available(name string) error {
	switch name {
	case Prosody:
		return findAll("prosody", "prosodyctl")
	case Ejabberd:
		if err := findAll("erl"); err != nil {
			return err
		}
		_, err := erlangLibs()
		return err
	case SSHD:
		return findAll("sshd", "ssh", "ssh-keygen")
	case TURN:
		return findAll("turnserver")
	case ProsodyModules:
		_, err := os.Stat(filepath.Join(prosodyModulesDir, "mod_sasl2_fast"))
		return err
	case GitLFS, Tmux, Man, Mandoc, Zsh, Fish:
		return findAll(name)
	case BashCompletion:
		if err := findAll("bash"); err != nil {
			return err
		}
		_, err := os.Stat(bashCompletionFile)
		return err
	default:
		return fmt.Errorf("no server is called %q", name)
	}
}

// Require skips the test if the server of that name can't be started here, or
// fails it if RequireEnv says so.
func Require(t testing.TB, name string) {
	t.Helper()
	err := Available(name)
	if err == nil {
		return
	}
	missing(t, name, err)
}

// missing skips a test for want of something, or fails it if RequireEnv says so.
func missing(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv(RequireEnv) == "1" {
		t.Fatalf("%s is required: %v", what, err)
	}
	t.Skipf("%s isn't there: %v", what, err)
}

// findAll returns an error that names the first program that isn't there.
func findAll(programs ...string) error {
	for _, program := range programs {
		if _, err := findProgram(program); err != nil {
			return err
		}
	}
	return nil
}

// findProgram looks through PATH, and then where servers are kept that an
// ordinary user's PATH often leaves out.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", err
}
