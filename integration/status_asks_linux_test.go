package integration

import (
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// No terminal is asked for its colours, which it might never answer.
func TestTerminalIsNotAsked(t *testing.T) {
	t.Parallel()
	h := newHome(t, testserver.New(t, testserver.Prosody, testserver.Options{}), "Bob", "bob")
	cmd := h.command(h.dir, "git-remote-xmpp", "version")
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	p := onTerminal(t, cmd)
	p.await("\n")
	if status, said := p.wait(), p.shown(); status != 0 || strings.Contains(said, "\x1b") || !strings.HasPrefix(said, "git-remote-xmpp ") {
		t.Errorf("exit status %d, said %q", status, said)
	}
}
