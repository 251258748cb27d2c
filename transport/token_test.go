package transport_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"git-remote-xmpp/integration/testserver"
	"git-remote-xmpp/transport"
)

// A purse is Tokens that aren't on disk.
type purse struct {
	mu    sync.Mutex
	token transport.Token
	kept  int // how often a token was kept
}

func (*purse) Client() (string, error) { return "d4565fa7-4d72-4749-b3d3-740edbf87770", nil }

func (p *purse) Token() (transport.Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.token, nil
}

func (p *purse) Keep(token transport.Token) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token = token
	p.kept++
	return nil
}

func (p *purse) Drop(token transport.Token) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token.Secret == token.Secret {
		p.token = transport.Token{}
	}
	return nil
}

// has is the token, and how often one was kept.
func (p *purse) has() (transport.Token, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.token, p.kept
}

var errAsked = errors.New("asked for the password")

// noPassword takes the password out of a configuration.
func noPassword(cfg *transport.Config) {
	cfg.Password = ""
	cfg.AskPassword = func(context.Context) (string, error) { return "", errAsked }
}

// turnsOf is how often a login waits for its server and goes on.
func turnsOf(t *testing.T, cfg transport.Config) (*transport.Endpoint, int) {
	t.Helper()
	p := newProxy(t, cfg.Server)
	cfg.Server = p.Addr().String()
	e := start(t, cfg)
	p.mu.Lock()
	defer p.mu.Unlock()
	return e, p.turns
}

// The first login earns a token, bound to the connection, and the next ones go without the password and in fewer turns. What serves has the resource that it
// wants; others have one that begins with it, the same each time.
func TestLoginByToken(t *testing.T) {
	s := testserver.New(t, testserver.Prosody, testserver.Options{SASL2: true})
	for _, serve := range []bool{true, false} {
		cfg := configFor(t, s, "alice", "git-a")
		m, tokens := &memory{}, &purse{}
		cfg.Serve, cfg.Record, cfg.Tokens = serve, m, tokens
		first, slow := turnsOf(t, cfg)
		first.Close()
		token, kept := tokens.has()
		if token.Mechanism != "HT-SHA-256-EXPR" || kept != 1 || time.Until(token.Expires) < time.Hour || !token.Bind2 {
			t.Fatalf("serve %v: %+v, kept %d times", serve, token, kept)
		}
		m.kept(t, "SCRAM-SHA-1-PLUS")
		noPassword(&cfg)
		second, fast := turnsOf(t, cfg)
		t.Logf("serve %v: %s in %d turns, then %s in %d", serve, first.JID(), slow, second.JID(), fast)
		if slow-fast < 2 {
			t.Errorf("serve %v: %d turns, by token %d", serve, slow, fast)
		}
		if resource := second.JID().Resourcepart(); !first.JID().Equal(second.JID()) || serve != (resource == "git-a") || !strings.HasPrefix(resource, "git-a") {
			t.Errorf("serve %v: %s, then %s", serve, first.JID(), second.JID())
		}
	}
}
