//go:build !windows

package integration

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// A newcomer is a home whose owner has an account and hasn't logged in yet. git's credential helpers keep passwords in a file.
type newcomer struct {
	*home
	credentials, trace string
}

func newNewcomer(t *testing.T, s *testserver.Server) *newcomer {
	t.Helper()
	n := &newcomer{home: newHome(t, s, "Alice", "alice")}
	n.forgetPassword()
	n.env = slices.DeleteFunc(n.env, func(v string) bool { return strings.HasPrefix(v, "GIT_TERMINAL_PROMPT=") })
	n.credentials, n.trace = filepath.Join(n.dir, "credentials"), filepath.Join(t.TempDir(), "trace")
	n.env = append(n.env, "GIT_TRACE="+n.trace, "GIT_XMPP_TRACE="+n.trace)
	n.git(n.dir, "config", "--global", "--unset", "xmpp.account")
	n.git(n.dir, "config", "--global", "credential.helper", "store --file="+n.credentials)
	return n
}

// kept is what is in the file of passwords.
func (n *newcomer) kept() string {
	text, err := os.ReadFile(n.credentials)
	if err != nil && !os.IsNotExist(err) {
		n.t.Fatal(err)
	}
	return string(text)
}

// setAccount is the account that is set for the user; empty if there is none.
func (n *newcomer) setAccount() string {
	return strings.TrimSpace(n.try(n.dir, "git", "config", "--global", "xmpp.account").stdout)
}

// login logs in without a terminal, in an environment with some more variables.
func (n *newcomer) login(t *testing.T, variables []string, args ...string) result {
	t.Helper()
	cmd := n.command(n.dir, "git-remote-xmpp", append([]string{"login"}, args...)...)
	cmd.Env = append(cmd.Env, variables...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	r := runWithin(t, deadline, cmd)
	n.toldNoSecret(t, r.stdout+r.stderr)
	return r
}

// toldNoSecret looks for passwords in what was said, in what git was given as arguments, and in what we have logged.
func (n *newcomer) toldNoSecret(t *testing.T, said string) {
	t.Helper()
	trace, err := os.ReadFile(n.trace)
	if err != nil {
		t.Fatal(err)
	}
	noSecrets(t, result{stdout: said, stderr: string(trace)}, []string{"alice-secret", "wr0ng-secret"})
}

// refused expects a failure that is told in one line and leaves nothing behind.
func (n *newcomer) refused(t *testing.T, r result, status int, words string) {
	t.Helper()
	if r.status != status || !strings.HasPrefix(r.stderr, "git-remote-xmpp: ") || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, words) || r.stdout != "" {
		t.Errorf("want exit status %d and %q: %v", status, words, r)
	}
	if n.kept() != "" || n.setAccount() != "" {
		t.Errorf("kept %q, account %q", n.kept(), n.setAccount())
	}
}

const rightPassword, wrongPassword = "GIT_XMPP_PASSWORD=alice-secret", "GIT_XMPP_PASSWORD=wr0ng-secret"

// What can be wrong with a login is said in words, on each real server, and nothing is kept then. One that is right is made once: from then on neither account nor password
// need be given.
func TestLogin(t *testing.T) {
	testserver.OnEach(t, testserver.Options{}, func(t *testing.T, s *testserver.Server) {
		n := newNewcomer(t, s)
		for name, tt := range map[string]struct {
			variables []string
			account   string
			status    int
			words     string
		}{
			"wrong password":        {[]string{wrongPassword}, n.account, 3, "wrong password or no such account (not-authorized)"},
			"no such account":       {[]string{rightPassword}, "nobody@localhost", 3, "wrong password or no such account (not-authorized)"},
			"unknown host":          {[]string{rightPassword, "GIT_XMPP_SERVER=nowhere.invalid:5222"}, n.account, 3, " nowhere.invalid"},
			"port closed":           {[]string{rightPassword, "GIT_XMPP_SERVER=" + closedPort(t)}, n.account, 3, "refused: check the network, or set xmpp.server"},
			"untrusted certificate": {[]string{rightPassword, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=xmpp.sslCAInfo", "GIT_CONFIG_VALUE_0="}, n.account, 3, "isn't signed by an authority that we trust"},
			"another's certificate": {[]string{rightPassword}, "alice@example.org", 3, "log in to " + s.Addr + " as alice@example.org: "},
			"no password":           {nil, n.account, 3, "alice@localhost: there is no terminal to ask on: no password: set GIT_XMPP_PASSWORD"},
			"bad password":          {[]string{"GIT_XMPP_PASSWORD=two\nlines"}, n.account, 3, "GIT_XMPP_PASSWORD: the password contains a line break or NUL"},
			"no account":            {[]string{rightPassword}, "", 2, "git-remote-xmpp login you@example.org"},
			"bad account":           {[]string{rightPassword}, "alice", 2, `account: "alice" is not an account such as you@example.org`},
		} {
			t.Run(name, func(t *testing.T) {
				var args []string
				if tt.account != "" {
					args = []string{tt.account}
				}
				n.refused(t, n.login(t, tt.variables, args...), tt.status, tt.words)
			})
		}
		n.refused(t, n.login(t, []string{rightPassword}, "--token-only", n.account), 1, "localhost gives no tokens for logins without a password (XEP-0484)")

		r := n.login(t, []string{rightPassword}, n.account)
		if r.status != 0 || r.stderr != "" {
			t.Fatal(r)
		}
		mustSay(t, r.stdout, "logged in as alice@localhost by SCRAM-SHA-", "at "+s.Addr, "the password is kept by git's credential helpers\n", "xmpp.account is alice@localhost for this user", "next: ")
		if got, want := n.kept(), "xmpp://alice:alice-secret@localhost\n"; got != want {
			t.Errorf("kept %q, want %q", got, want)
		}
		n.doctor(t, n.dir).mustHave(t, "ok settings: account alice@localhost \\(xmpp.account\\)", "ok password: git's credential helpers", "ok login: ^alice@localhost/")

		// One that was mistyped takes nothing away; one that was kept and isn't right any more goes.
		if r := n.login(t, []string{wrongPassword}); r.status != 3 || n.kept() != "xmpp://alice:alice-secret@localhost\n" {
			t.Errorf("kept %q: %v", n.kept(), r)
		}
		if err := os.WriteFile(n.credentials, []byte("xmpp://alice:wr0ng-secret@localhost\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := n.login(t, []string{wrongPassword}); r.status != 3 || n.kept() != "" {
			t.Errorf("kept %q: %v", n.kept(), r)
		}

		repo := n.newRepo("proj")
		n.git(repo, "config", "xmpp.account", "bob@localhost")
		cmd := n.command(repo, "git-remote-xmpp", "login", n.account)
		cmd.Env = append(cmd.Env, rightPassword)
		mustSay(t, run(t, cmd).stdout, "but bob@localhost goes before it here")

		n.git(n.dir, "config", "--global", "--unset", "credential.helper")
		r = n.login(t, []string{rightPassword})
		mustSay(t, r.stdout, "the password isn't kept, for git has no credential helper that does it", "git config --global credential.helper store")
		if r.status != 0 {
			t.Error(r)
		}

		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		if err := s.RestartWithout(ctx, "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"); err != nil {
			t.Fatal(err)
		}
		other := newNewcomer(t, s) // who hasn't logged in by a better one before
		words := "the server offers no mechanism that we know: X-OAUTH2"
		if s.Name == testserver.Prosody {
			words = "No stream features to proceed with" // it has none that we don't know
		}
		other.refused(t, other.login(t, []string{rightPassword}, n.account), 3, words)
	})
}

// With --token-only the password is needed once: what was kept of it goes, and the server's token is enough to fetch.
func TestLoginTokenOnly(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Prosody, testserver.Options{SASL2: true})
	bob, n := newHome(t, s, "Bob", "bob"), newNewcomer(t, s)
	served := bob.newRepo("proj")
	bob.serve(served)
	mustSay(t, n.login(t, []string{rightPassword}, n.account).stdout, "the password is kept", "the server gave a token: without the password it lets this user in until 20")
	before := n.token(t)

	// The token is no help against a wrong password, and is still there after it.
	r := n.login(t, []string{wrongPassword}, "--token-only")
	if r.status != 3 || !strings.Contains(r.stderr, "wrong password") || n.token(t) != before || n.kept() == "" {
		t.Errorf("kept %q: %v", n.kept(), r)
	}
	r = n.login(t, []string{rightPassword}, "--token-only")
	mustSay(t, r.stdout, "logged in as alice@localhost by SCRAM-", "the password isn't kept: a token of the server's lets this user in until 20", "xmpp.account is alice@localhost")
	if r.status != 0 || n.kept() != "" || n.token(t) == before {
		t.Errorf("kept %q: %v", n.kept(), r)
	}
	noSecrets(t, r, []string{n.token(t)})
	n.git(n.dir, "ls-remote", bob.xmpp(served, "invite"))
}

// A remote may be called like a subcommand, and a subcommand may be given what looks like a remote's URL.
func TestRemoteNamedAsCommand(t *testing.T) {
	t.Parallel()
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{}))
	for _, name := range []string{"login", "doctor"} {
		p.alice.git(p.clone, "remote", "add", name, "xmpp::bob@localhost")
		p.alice.git(p.clone, "fetch", "--quiet", name)
		if got, want := p.alice.git(p.clone, "rev-parse", name+"/main"), p.bob.git(p.served, "rev-parse", "main"); got != want {
			t.Errorf("main of %s is %s, want %s", name, got, want)
		}
	}
	for _, url := range []string{"xmpp::bob@localhost/proj", "xmpp://bob@localhost/proj", "bob@localhost/proj"} {
		mustSay(t, p.alice.xmpp(p.alice.dir, "doctor", url), "✓ settings", "\n✓ refs ")
	}
}
