package main

import (
	"context"
	"sync"

	"git-remote-xmpp/internal/config"
	"git-remote-xmpp/internal/logins"
	"git-remote-xmpp/transport"
)

// A passwordSource has the password ready for logins that need it: those for which the server gave no token.
type passwordSource struct {
	settings config.Settings

	mu    sync.Mutex
	given string // in answer to the last question
	quiet bool   // nobody is asked on the terminal
}

// ask takes the password from the environment or git's credential helpers.
func (p *passwordSource) ask(ctx context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	get := config.Password
	if p.quiet {
		get = config.StoredPassword
	}
	var err error
	p.given, err = get(ctx, p.settings)
	return p.given, err
}

// started returns what the first login was given, if anything. Later on the terminal isn't ours any more.
func (p *passwordSource) started() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = true
	return p.given
}

// canLogIn is an error if there is neither a token nor a password to log in with.
func canLogIn(ctx context.Context, cfg transport.Config) error {
	if token, err := cfg.Tokens.Token(); err == nil && token.Secret != "" {
		return nil
	}
	_, err := cfg.AskPassword(ctx)
	return err
}

// A tokenStore has the tokens in a file for package transport.
type tokenStore struct{ *logins.Tokens }

// Token is the one that was kept last.
func (s tokenStore) Token() (transport.Token, error) {
	token, err := s.Tokens.Token()
	return transport.Token(token), err
}

// Keep keeps a token that a login by another one brought.
func (s tokenStore) Keep(given, by transport.Token) error {
	return s.Tokens.Keep(logins.Token(given), logins.Token(by))
}

// Drop forgets a token.
func (s tokenStore) Drop(token transport.Token) error { return s.Tokens.Drop(logins.Token(token)) }
