package logins

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"git-remote-xmpp/internal/statefile"
	"github.com/google/uuid"
)

const (
	// tokensName is in the data folder. What is in it is as good as passwords.
	tokensName = "tokens.json"
	// maxTokenBytes is more than any that package transport lets through.
	maxTokenBytes = 4096
)

// Tokens keeps the token of one account.
type Tokens struct {
	account string
	file    statefile.Document[tokens]
}

// tokens is what the file has: for each account what its server gave.
type tokens struct {
	Accounts map[string]kept `json:"accounts"`
}

type kept struct {
	Client string `json:"client"` // a UUID by which the server knows this installation
	Token
	// Earlier is the one by which it came, which counts until the new one is used: several processes may be given one each, of which the server knows only its last.
	Earlier Token `json:"earlier,omitzero"`
}

// A Token is one that a server gave.
type Token struct {
	Mechanism string    `json:"mechanism,omitempty"` // that it is for
	Secret    string    `json:"token,omitempty"`     // empty: there is none
	Expires   time.Time `json:"expires,omitzero"`
	Bind2     bool      `json:"bind2,omitempty"` // the server binds a resource in the same step (XEP-0386)
}

// Check is for package statefile. Its errors don't say what is in the file.
func (t *tokens) Check() error {
	for account, k := range t.Accounts {
		_, err := uuid.Parse(k.Client)
		if account == "" || err != nil || !k.Token.isProper() || !k.Earlier.isProper() {
			return fmt.Errorf("%q has no proper token", account)
		}
	}
	return nil
}

func (t Token) isProper() bool {
	return (t.Secret == "") == (t.Mechanism == "") && len(t.Secret) <= maxTokenBytes && len(t.Mechanism) <= maxMechanismBytes
}

// OpenTokens returns the tokens of an account, a bare JID, in the data folder. It reads nothing yet.
func OpenTokens(dir, account string) *Tokens {
	return &Tokens{account: account, file: statefile.Document[tokens]{
		Path: filepath.Join(dir, tokensName), Private: true, Remedy: "remove it: the next login takes the password",
	}}
}

// Client is the id by which the server knows the account's tokens, made at first use.
func (t *Tokens) Client() (string, error) {
	all, err := t.file.Read()
	if err != nil {
		return "", err
	}
	client := all.Accounts[t.account].Client
	if client == "" {
		err = t.change(func(k *kept) bool {
			client = k.Client
			return true
		})
	}
	return client, err
}

// Token is the one that was kept last.
func (t *Tokens) Token() (Token, error) {
	all, err := t.file.Read()
	if err != nil {
		return Token{}, err
	}
	return all.Accounts[t.account].Token, nil
}

// Keep keeps a token that a login by another one brought, or by the password if that has no secret.
func (t *Tokens) Keep(token, by Token) error {
	return t.change(func(k *kept) bool {
		if k.Earlier = k.Token; by.Secret != "" {
			k.Earlier = by
		}
		k.Token = token
		return true
	})
}

// Drop forgets a token, unless another one has been kept since. The one by which it came is back then.
func (t *Tokens) Drop(token Token) error {
	return t.change(func(k *kept) bool {
		if k.Secret != token.Secret {
			return false
		}
		k.Token, k.Earlier = k.Earlier, Token{}
		return true
	})
}

// change changes what is kept for the account, unless it says that there is nothing to write. An account gets its id with the first change.
func (t *Tokens) change(change func(*kept) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), changeTimeout)
	defer cancel()
	return statefile.Lock(ctx, filepath.Dir(t.file.Path), func() error {
		return t.file.Update(func(all *tokens) error {
			if all.Accounts == nil {
				all.Accounts = make(map[string]kept)
			}
			k := all.Accounts[t.account]
			if k.Client == "" {
				k.Client = uuid.NewString()
			}
			if !change(&k) {
				return statefile.ErrUnchanged
			}
			all.Accounts[t.account] = k
			return nil
		})
	})
}
