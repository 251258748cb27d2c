package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// withStore sets up git's own helper that keeps passwords in a file.
func withStore(t *testing.T) (*home, Settings) {
	t.Helper()
	h := newHome(t)
	h.git("config", "--global", "credential.helper", "store")
	h.git("config", "--global", "xmpp.account", "bob@example.org")
	return h, h.mustLoad()
}

func (h *home) stored() string {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, ".git-credentials"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	return string(b)
}

func TestPasswordOfTheEnvironment(t *testing.T) {
	h, _ := withStore(t)
	s := h.mustLoad("GIT_XMPP_PASSWORD=pa ss")
	if p, err := Password(t.Context(), s); err != nil || p != "pa ss" {
		t.Errorf("got %q, %v", p, err)
	}
	if out := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(out, "pa ss") {
		t.Error("printing Settings prints the password")
	}
	if err := ApprovePassword(t.Context(), s, "pa ss"); err != nil || h.stored() != "" {
		t.Errorf("the environment's password was stored: %v, %q", err, h.stored())
	}
	if err := StorePassword(t.Context(), s, "pa ss"); err != nil || !strings.Contains(h.stored(), "xmpp://bob:pa%20ss@example.org") {
		t.Errorf("store: %v, %q", err, h.stored())
	}
	if err := RejectPassword(t.Context(), s, "pa ss"); err != nil || h.stored() == "" {
		t.Errorf("a stored password went because the environment's was refused: %v", err)
	}
}

func TestPasswordOfACredentialHelper(t *testing.T) {
	h, s := withStore(t)
	if _, err := Password(t.Context(), s); !errors.Is(err, ErrNoPassword) || !strings.Contains(err.Error(), "bob@example.org") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("none yet: %v", err)
	}
	if err := ApprovePassword(t.Context(), s, "sé=cret "); err != nil {
		t.Fatal(err)
	}
	if p, err := Password(t.Context(), s); err != nil || p != "sé=cret " {
		t.Errorf("got %q, %v", p, err)
	}
	other := h.mustLoad("GIT_XMPP_ACCOUNT=carol@example.org")
	if p, err := Password(t.Context(), other); !errors.Is(err, ErrNoPassword) {
		t.Errorf("another account: %q, %v", p, err)
	}
	if err := RejectPassword(t.Context(), s, "sé=cret "); err != nil {
		t.Fatal(err)
	}
	if p, err := Password(t.Context(), s); !errors.Is(err, ErrNoPassword) {
		t.Errorf("after reject: %q, %v", p, err)
	}
}

func TestBadPasswords(t *testing.T) {
	h, s := withStore(t)
	for _, p := range []string{"", "a\nhost=evil", "a\x00b", "a\rb"} {
		if err := ApprovePassword(t.Context(), s, p); !errors.Is(err, ErrBadPassword) {
			t.Errorf("%q: %v", p, err)
		}
	}
	_, err := Password(t.Context(), h.mustLoad("GIT_XMPP_PASSWORD=pass\nword"))
	if !errors.Is(err, ErrBadPassword) || strings.Contains(err.Error(), "word\n") || strings.Contains(err.Error(), "pass\n") {
		t.Errorf("got %v", err)
	}
	if _, err := Password(t.Context(), Settings{}); !errors.Is(err, ErrNoAccount) {
		t.Errorf("no account: %v", err)
	}
}

// TestSecretsStayOutOfGit runs a credential helper that shows its environment.
func TestSecretsStayOutOfGit(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helper is a shell function")
	}
	h, _ := withStore(t)
	h.git("config", "--global", "--replace-all", "credential.helper", `!f() { test "$1" = get && echo "password=${GIT_XMPP_IDENTITY-none}${GIT_XMPP_PASSWORD-none}"; }; f`)
	s := h.mustLoad("GIT_XMPP_IDENTITY=key", "GIT_XMPP_PASSWORD=")
	if p, err := Password(t.Context(), s); err != nil || p != "nonenone" {
		t.Errorf("got %q, %v", p, err)
	}
}

func TestAskpass(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell script")
	}
	h, _ := withStore(t)
	ask := filepath.Join(h.dir, "ask")
	if err := os.WriteFile(ask, []byte("#!/bin/sh\necho asked\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if p, err := Password(t.Context(), h.mustLoad("GIT_ASKPASS="+ask)); err != nil || p != "asked" {
		t.Errorf("got %q, %v", p, err)
	}
}

// What is kept is found out without asking anybody, by whatever program, and whatever the environment has.
func TestKeptPassword(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the askpass program here is a shell script")
	}
	h, _ := withStore(t)
	asked := filepath.Join(h.dir, "asked")
	askpass := filepath.Join(h.dir, "askpass")
	if err := os.WriteFile(askpass, []byte("#!/bin/sh\ntouch "+asked+"\necho answer\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.git("config", "--global", "core.askPass", askpass)
	s := h.mustLoad("GIT_XMPP_PASSWORD=other", "GIT_ASKPASS="+askpass, "SSH_ASKPASS="+askpass)
	if p, err := KeptPassword(t.Context(), s); !errors.Is(err, ErrNoPassword) {
		t.Errorf("none is kept: %q, %v", p, err)
	}
	if _, err := os.Stat(asked); err == nil {
		t.Error("somebody was asked")
	}
	if err := StorePassword(t.Context(), s, "kept"); err != nil {
		t.Fatal(err)
	}
	if p, err := KeptPassword(t.Context(), s); err != nil || p != "kept" {
		t.Errorf("got %q, %v", p, err)
	}
	if err := ForgetPassword(t.Context(), s, "kept"); err != nil || h.stored() != "" {
		t.Errorf("%v, %q", err, h.stored())
	}
}

func TestMayPrompt(t *testing.T) {
	h := newHome(t)
	for value, want := range map[string]bool{"": true, "1": true, "true": true, "0": false, "false": false, "off": false} {
		if got := MayPrompt(h.mustLoad("GIT_TERMINAL_PROMPT=" + value)); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestWithAccount(t *testing.T) {
	h, s := withStore(t)
	other, err := s.WithAccount("Alice@example.org")
	if err != nil || other.Account.String() != "alice@example.org" || s.Account.String() != "bob@example.org" {
		t.Errorf("%v, %v, %v", other.Account, s.Account, err)
	}
	if err := StorePassword(t.Context(), other, "hers"); err != nil || !strings.Contains(h.stored(), "xmpp://alice:hers@example.org") {
		t.Errorf("%v, %q", err, h.stored())
	}
	var bad *ValueError
	if _, err := s.WithAccount("alice@example.org/phone"); !errors.As(err, &bad) {
		t.Error(err)
	}
}
