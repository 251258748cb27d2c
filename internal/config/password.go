package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

const (
	passwordVar = "GIT_XMPP_PASSWORD"
	identityVar = "GIT_XMPP_IDENTITY"
	promptVar   = "GIT_TERMINAL_PROMPT"
	askpassVar  = "GIT_ASKPASS"
)

var (
	// ErrNoPassword says that neither the environment nor git's credential
	// helpers nor the user has a password for the account.
	ErrNoPassword = errors.New("no password: set GIT_XMPP_PASSWORD, or store it with git's credential helpers")
	// ErrBadPassword says that a password has a character in it that git's
	// credential protocol has no way to write: a line break or NUL.
	ErrBadPassword = errors.New("the password contains a line break or NUL")
)

// Password returns the password of the account: that of GIT_XMPP_PASSWORD, or
// else what git credential fill answers for protocol=xmpp (gitcredentials(7)).
// git asks the user on the terminal if there is one, or by its askpass program
// if one is set; otherwise the answer is [ErrNoPassword] at once.
func Password(ctx context.Context, s Settings) (string, error) {
	return s.password(ctx, nil)
}

// StoredPassword is the same, but nobody is asked on a terminal.
func StoredPassword(ctx context.Context, s Settings) (string, error) {
	return s.password(ctx, []string{promptVar + "=0"})
}

// KeptPassword is the one that git's credential helpers have, whatever GIT_XMPP_PASSWORD says. Nobody is asked, neither on a
// terminal nor by an askpass program: without one it is [ErrNoPassword].
func KeptPassword(ctx context.Context, s Settings) (string, error) {
	if err := s.RequireAccount(); err != nil {
		return "", err
	}
	return s.helpersPassword(ctx, []string{promptVar + "=0", askpassVar + "="}) // an empty askpass goes before those of settings
}

// MayPrompt tells whether the user may be asked on a terminal: not if GIT_TERMINAL_PROMPT says so, as to git.
func MayPrompt(s Settings) bool {
	value, may := s.origin().getenv(promptVar), false
	return value == "" || setBool(&may, value) && may
}

func (s Settings) password(ctx context.Context, extraEnv []string) (string, error) {
	if err := s.RequireAccount(); err != nil {
		return "", err
	}
	if p := s.origin().getenv(passwordVar); p != "" {
		if badCredential(p) {
			return "", fmt.Errorf("%s: %w", passwordVar, ErrBadPassword)
		}
		return p, nil
	}
	return s.helpersPassword(ctx, extraEnv)
}

func (s Settings) helpersPassword(ctx context.Context, extraEnv []string) (string, error) {
	out, err := s.credential(ctx, "fill", "", extraEnv)
	if ctx.Err() != nil {
		return "", fmt.Errorf("ask git for the password of %s: %w", s.Account, err)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w (git: %v)", s.Account, ErrNoPassword, err)
	}
	p := credentialValue(out, "password")
	if p == "" {
		return "", fmt.Errorf("%s: %w", s.Account, ErrNoPassword)
	}
	if badCredential(p) {
		return "", fmt.Errorf("%s: %w", s.Account, ErrBadPassword)
	}
	return p, nil
}

// ApprovePassword tells git's credential helpers that a password worked. One
// that came from the environment isn't theirs to keep, and isn't told.
func ApprovePassword(ctx context.Context, s Settings, password string) error {
	if s.origin().getenv(passwordVar) != "" {
		return nil
	}
	return StorePassword(ctx, s, password)
}

// RejectPassword tells git's credential helpers that a password was refused. One
// that came from the environment wasn't theirs, and isn't told.
func RejectPassword(ctx context.Context, s Settings, password string) error {
	if s.origin().getenv(passwordVar) != "" {
		return nil
	}
	return ForgetPassword(ctx, s, password)
}

// StorePassword gives a password to git's credential helpers, wherever it came
// from: for the user who asked for just that.
func StorePassword(ctx context.Context, s Settings, password string) error {
	return s.tell(ctx, "approve", password)
}

// ForgetPassword takes a password away from git's credential helpers, wherever it
// came from.
func ForgetPassword(ctx context.Context, s Settings, password string) error {
	return s.tell(ctx, "reject", password)
}

func (s Settings) tell(ctx context.Context, action, password string) error {
	if err := s.RequireAccount(); err != nil {
		return err
	}
	if password == "" || badCredential(password) {
		return ErrBadPassword
	}
	if _, err := s.credential(ctx, action, password, nil); err != nil {
		return fmt.Errorf("git credential %s for %s: %w", action, s.Account, err)
	}
	return nil
}

// credential runs git credential. All values travel by stdin, where other
// users of the machine don't see them.
func (s Settings) credential(ctx context.Context, action, password string, extraEnv []string) ([]byte, error) {
	host, user := s.Account.Domainpart(), s.Account.Localpart()
	if badCredential(host) || badCredential(user) {
		return nil, fmt.Errorf("%w", ErrBadPassword)
	}
	in := "protocol=xmpp\nhost=" + host + "\nusername=" + user + "\n"
	if password != "" {
		in += "password=" + password + "\n"
	}
	from := s.origin()
	if from.getenv(promptVar) == "" && !hasTerminal() {
		extraEnv = append(extraEnv, promptVar+"=0")
	}
	return from.git(ctx, []byte(in+"\n"), extraEnv, "credential", action)
}

// origin returns where the settings came from; for Settings that Load didn't
// make it is the current folder and the environment of this process.
func (s Settings) origin() *source {
	if s.from == nil {
		return newSource("", nil)
	}
	return s.from
}

// credentialValue returns the value of a key in the output of git credential.
func credentialValue(out []byte, key string) string {
	for line := range strings.SplitSeq(string(out), "\n") {
		if v, ok := strings.CutPrefix(line, key+"="); ok {
			return strings.TrimSuffix(v, "\r")
		}
	}
	return ""
}

// badCredential tells values that could add lines of their own to git's
// credential protocol.
func badCredential(v string) bool { return strings.ContainsAny(v, "\n\r\x00") }

// hasTerminal tells whether git can ask the user: it opens the terminal itself,
// stdin and stdout don't matter.
func hasTerminal() bool {
	name := "/dev/tty"
	if runtime.GOOS == "windows" {
		name = "CONIN$"
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
}
