// Package logins keeps, in files, by which mechanism of SASL accounts logged in at
// best, and the tokens that their servers gave for the next logins. It doesn't know
// which mechanism is stronger than another, nor whether a token is still good.
package logins

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"git-remote-xmpp/internal/statefile"
)

const (
	// fileName is in the data folder.
	fileName = "logins.json"
	// maxMechanismBytes is the length of a mechanism's name (RFC 4422, 3.1).
	maxMechanismBytes = 20
	// changeTimeout bounds a change of a file.
	changeTimeout = 10 * time.Second
)

// A Record is what is kept of one account, a transport.Record.
type Record struct {
	account string
	file    statefile.Document[content]
}

// content is what the file has: a mechanism for each account.
type content struct {
	Mechanisms map[string]string `json:"mechanisms"`
}

// Check is for package statefile.
func (c *content) Check() error {
	for account, mechanism := range c.Mechanisms {
		if account == "" || mechanism == "" || len(mechanism) > maxMechanismBytes {
			return fmt.Errorf("%q has the mechanism %q", account, mechanism)
		}
	}
	return nil
}

// Open returns the record of an account, a bare JID, in the data folder. It reads nothing yet.
func Open(dir, account string) *Record {
	return &Record{account: account, file: statefile.Document[content]{
		Path: filepath.Join(dir, fileName), Remedy: "remove it: the next login writes it anew",
	}}
}

// Strongest is the mechanism that was raised last; empty if there is none.
func (r *Record) Strongest() (string, error) {
	c, err := r.file.Read()
	if err != nil {
		return "", err
	}
	return c.Mechanisms[r.account], nil
}

// Raise notes a mechanism.
func (r *Record) Raise(mechanism string) error {
	ctx, cancel := context.WithTimeout(context.Background(), changeTimeout)
	defer cancel()
	return statefile.Lock(ctx, filepath.Dir(r.file.Path), func() error {
		return r.file.Update(func(c *content) error {
			if c.Mechanisms == nil {
				c.Mechanisms = make(map[string]string)
			}
			if c.Mechanisms[r.account] == mechanism {
				return statefile.ErrUnchanged
			}
			c.Mechanisms[r.account] = mechanism
			return nil
		})
	})
}

// Remedy says what the user does to have a weaker mechanism accepted.
func (r *Record) Remedy() string { return "remove " + r.file.Path }
