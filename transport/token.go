package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// maxTokens is how many tokens a login tries: there may be a newer one, which another process was given meanwhile, or one from before.
	maxTokens = 6
	// maxTokenBytes is the longest token that is kept; usual are some 40 bytes.
	maxTokenBytes = 1024
	// maxTokenLife is how long a token is kept at the most, whatever the server says.
	maxTokenLife = 400 * 24 * time.Hour

	htExporter = "HT-SHA-256-EXPR" // bound to the connection by tls-exporter
	htUnique   = "HT-SHA-256-UNIQ" // by tls-unique
	htNone     = "HT-SHA-256-NONE" // not bound
)

// A Token is what a server gave for later logins, which it takes in place of the password (XEP-0484).
type Token struct {
	Mechanism string // that it is for, and no other
	Secret    string
	Expires   time.Time
	Bind2     bool // the server binds a resource in the same step
}

// Tokens keeps an account's token from one login to the next. Other processes may change it.
type Tokens interface {
	// Client is the id by which the server knows whose token it is, a random UUID. It stays the same.
	Client() (string, error)
	// Token is the one that was kept last; without a secret if there is none.
	Token() (Token, error)
	// Keep keeps a token that a login by another one brought; that one is without a secret if it was by the password.
	Keep(given, by Token) error
	// Drop forgets a token, unless another one has been kept since. The one by which it came may take its place: the server lets that in until the new one is used.
	Drop(Token) error
}

var (
	// errToken says that a login by a token isn't possible: it is to be made without.
	errToken = errors.New("no login by token")
	// errRefused is an errToken by which the server doesn't know the token, and never will.
	errRefused = errors.New("token refused")
)

// loginByToken logs in by the token that is kept, or by another one if that is refused. It is an errToken if it can't be done so; a bare one if there is no token.
func loginByToken(ctx context.Context, cfg *Config, named *target) (*link, error) {
	why := errToken
	for range maxTokens {
		token, err := usableToken(cfg)
		if err != nil {
			return nil, withoutToken(cfg, "%v", err)
		}
		if token == nil {
			break
		}
		l, err := loginWith(ctx, cfg, named, token)
		if !errors.Is(err, errToken) {
			return l, err
		}
		cfg.Log.Info("log in without the token", "err", err)
		if why = err; !errors.Is(err, errRefused) {
			break
		}
		if err := cfg.Tokens.Drop(*token); err != nil {
			cfg.Log.Warn("the token is still kept", "err", err)
		}
	}
	return nil, why
}

// usableToken is the token to log in with; nil if there is none. It isn't used where it would be weaker than earlier logins: who bound them to the connection goes
// on doing so.
func usableToken(cfg *Config) (*Token, error) {
	if cfg.Tokens == nil {
		return nil, nil
	}
	token, err := cfg.Tokens.Token()
	if err != nil || token.Secret == "" || !time.Now().Before(token.Expires) {
		return nil, err
	}
	if cfg.Record == nil || token.Mechanism != htNone {
		return &token, nil
	}
	if before, err := cfg.Record.Strongest(); err != nil || strings.HasSuffix(before, plus) {
		return nil, err
	}
	return &token, nil
}

// chooseToken is the mechanism of the token to ask for: one with channel binding if the server can. There is none if it must be bound and can't be.
func chooseToken(offered []string, state tls.ConnectionState, canBind, mustBind bool) string {
	binding := htUnique
	if state.Version >= tls.VersionTLS13 {
		binding = htExporter
	}
	switch {
	case canBind && slices.Contains(offered, binding):
		return binding
	case !mustBind && slices.Contains(offered, htNone):
		return htNone
	}
	return ""
}

// fastToken is a token as the server gives it.
type fastToken struct {
	Secret string `xml:"token,attr"`
	Expiry string `xml:"expiry,attr"`
}

// check turns it into a token that is like another one but for the secret.
func (t *fastToken) check(like Token) (Token, error) {
	expires, err := time.Parse(time.RFC3339, t.Expiry) // XEP-0082
	switch now := time.Now(); {
	case t.Secret == "" || len(t.Secret) > maxTokenBytes:
		return Token{}, fmt.Errorf("it has %d bytes", len(t.Secret))
	case err != nil:
		return Token{}, errors.New("it doesn't say when it expires")
	case !now.Before(expires):
		return Token{}, errors.New("it has expired")
	case expires.Sub(now) > maxTokenLife:
		expires = now.Add(maxTokenLife)
	}
	like.Secret, like.Expires = t.Secret, expires.UTC()
	return like, nil
}
