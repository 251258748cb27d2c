package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"git-remote-xmpp/integration/testserver"
)

// forgetPassword takes the password away from a home, as from a CI machine that was set up with it once.
func (h *home) forgetPassword() {
	h.env = slices.DeleteFunc(h.env, func(v string) bool { return strings.HasPrefix(v, "GIT_XMPP_PASSWORD=") })
}

// tokensFile is where the server's tokens are.
func (h *home) tokensFile() string { return filepath.Join(h.dataDir(), "tokens.json") }

// token is the one that a home has.
func (h *home) token(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(h.tokensFile())
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Content struct {
			Accounts map[string]struct{ Token string }
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	token := file.Content.Accounts[h.account].Token
	if token == "" {
		t.Fatalf("no token of %s: %s", h.account, text)
	}
	return token
}

// Where the server gives tokens, a machine on which a login was made once needs no password any more, neither to push nor to serve, and what serves has the same
// address. Without the token the password is wanted again. Nothing that is said or traced has the token.
func TestNoPasswordAnyMore(t *testing.T) {
	p := newPair(t, testserver.New(t, testserver.Prosody, testserver.Options{SASL2: true}))
	address := p.daemon.jid
	p.daemon.stop()
	trace := filepath.Join(t.TempDir(), "trace")
	for _, h := range []*home{p.bob, p.alice} {
		h.forgetPassword()
		h.env = append(h.env, "GIT_XMPP_TRACE="+trace)
	}
	secrets := []string{p.alice.token(t), p.bob.token(t)}
	p.daemon = p.bob.serve(p.bob.dir, p.served)
	if p.daemon.jid != address {
		t.Errorf("serves at %s, before at %s", p.daemon.jid, address)
	}
	said := p.alice.gitBoth(p.clone, "push", "origin", "main").String()
	if got, want := p.bob.git(p.served, "rev-parse", "main"), p.alice.git(p.clone, "rev-parse", "main"); got != want {
		t.Errorf("main is %s, want %s", got, want)
	}
	text, err := os.ReadFile(trace)
	if err != nil || strings.Count(string(text), "HT-SHA-256-EXPR") < 2 || strings.Contains(string(text), "mechanism=SCRAM") {
		t.Errorf("logged in otherwise: %v: %s", err, text)
	}
	secrets = append(secrets, p.alice.token(t), p.bob.token(t))
	p.alice.doctor(t, p.clone).mustHave(t, "none password: gave a token", "ok login: by HT-SHA-256-EXPR, bound to the TLS connection", "ok refs")

	if err := os.Remove(p.alice.tokensFile()); err != nil {
		t.Fatal(err)
	}
	b := p.bad(3, "alice@localhost: no password: set GIT_XMPP_PASSWORD, or store it with git's credential helpers", "bob@localhost/proj")
	b.watched = nil // only the trace changes, and the id by which the server would know us
	b.check(t)
	p.alice.env = append(p.alice.env, "GIT_XMPP_PASSWORD="+p.server.Accounts["alice"])
	p.alice.git(p.clone, "fetch", "--quiet", "origin")
	secrets = append(secrets, p.alice.token(t))
	p.daemon.stop()
	for _, secret := range secrets {
		if strings.Contains(said+string(text)+p.daemon.stderr.String(), secret) {
			t.Error("a token was told")
		}
	}
}
