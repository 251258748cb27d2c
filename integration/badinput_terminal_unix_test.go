//go:build !windows

package integration

import (
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without a password and without a terminal nobody is asked, and nobody waits for an answer.
func TestNoPassword(t *testing.T) {
	b := stranger(t)
	b.home.env = slices.DeleteFunc(b.home.env, func(v string) bool {
		return strings.HasPrefix(v, "GIT_XMPP_PASSWORD=") || strings.HasPrefix(v, "GIT_TERMINAL_PROMPT=")
	})
	b.home.git(b.dir, "config", "--global", "--unset", "xmpp.sslCAInfo")
	b.home.git(b.dir, "config", "xmpp.uuid", "123e4567-e89b-12d3-a456-426614174000")
	b.home.xmpp(b.dir, "peers") // makes the key
	b.status, b.line, b.within = 3, "alice@localhost: no password: set GIT_XMPP_PASSWORD, or store it with git's credential helpers (git: ", 3*time.Second
	b.prepare = func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
	b.check(t)
	b.env, b.line = []string{"GIT_XMPP_PASSWORD=two\nlines-secret"}, "GIT_XMPP_PASSWORD: the password contains a line break or NUL"
	b.secrets = append(b.secrets, "lines-secret")
	b.check(t)

	cmd := b.home.command(b.dir, "git-remote-xmpp", "serve")
	b.prepare(cmd)
	r := runWithin(t, deadline, cmd)
	if said := b.onlyLine(t, "serve", r); r.status != 3 || !strings.Contains(said, "no password") {
		t.Errorf("serve: %v", r)
	}
}
