package integration

import (
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// loginOnTerminal starts login on a terminal.
func (n *newcomer) loginOnTerminal(t *testing.T, args ...string) *pty {
	t.Helper()
	return onTerminal(t, n.command(n.dir, "git-remote-xmpp", append([]string{"login"}, args...)...))
}

// On a terminal it is asked for what isn't known. What is typed as the password isn't shown, and may be wrong twice; Ctrl-C leaves the terminal as it was.
func TestLoginTerminal(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{})
	n := newNewcomer(t, s)
	const prompt, wrong = "password of alice@localhost: ", "the server says: wrong password, or no such account\n"
	password := func(p *pty, text string) {
		t.Helper()
		p.await(prompt)
		p.awaitHidden(true)
		p.enter(text)
	}

	p := n.loginOnTerminal(t)
	p.await("XMPP account (you@example.org): ")
	p.enter("alice@localhost")
	password(p, "wr0ng-secret")
	password(p, "alice-secret")
	if status := p.wait(); status != 0 {
		t.Errorf("exit status %d: %s", status, p.shown())
	}
	p.await("\nnext: ")
	mustSay(t, p.shown(), wrong, "logged in as alice@localhost by SCRAM-SHA-", "the password is kept")
	n.toldNoSecret(t, p.shown())
	if n.kept() != "xmpp://alice:alice-secret@localhost\n" || n.setAccount() != "alice@localhost" {
		t.Errorf("kept %q, account %q", n.kept(), n.setAccount())
	}

	p = n.loginOnTerminal(t) // the account is known now
	for range 3 {
		password(p, "wr0ng-secret")
	}
	if status := p.wait(); status != 3 {
		t.Errorf("exit status %d: %s", status, p.shown())
	}
	p.await("git-remote-xmpp: log in as alice@localhost: wrong password or no such account")
	if n := strings.Count(p.shown(), prompt); n != 3 {
		t.Errorf("asked %d times: %s", n, p.shown())
	}
	n.toldNoSecret(t, p.shown())
	if n.kept() != "xmpp://alice:alice-secret@localhost\n" {
		t.Errorf("kept %q", n.kept())
	}

	p = n.loginOnTerminal(t)
	p.await(prompt)
	p.awaitHidden(true)
	p.enter("") // no password
	if status := p.wait(); status != 3 {
		t.Errorf("exit status %d: %s", status, p.shown())
	}

	p = n.loginOnTerminal(t)
	p.await(prompt)
	p.awaitHidden(true)
	if _, err := p.master.WriteString("\x03"); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	p.await("git-remote-xmpp: interrupted\n")
	p.awaitHidden(false)
	if status := p.wait(); status != 1 {
		t.Errorf("exit status %d: %s", status, p.shown())
	}

	n.env = append(n.env, "GIT_TERMINAL_PROMPT=0")
	p = n.loginOnTerminal(t)
	if status := p.wait(); status != 3 || strings.Contains(p.shown(), prompt) {
		t.Errorf("exit status %d: %s", status, p.shown())
	}
}
