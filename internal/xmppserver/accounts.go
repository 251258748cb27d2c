package xmppserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/xdg-go/scram"
	"mellium.im/xmpp/jid"
)

const (
	// saltIterations of PBKDF2 (RFC 7677 asks for 4,096 at least).
	saltIterations = 10_000
	saltBytes      = 16
)

var (
	errNoAccount    = errors.New("no such account")
	errDoubleName   = errors.New("given twice under names that are the same")
	errEmptySecret  = errors.New("empty password")
	errEmptyAccount = errors.New("empty account name")
)

// credentials are what is kept of a password: enough to check it, not enough
// to log in with.
type credentials struct{ sha1, sha256 scram.StoredCredentials }

// accounts knows the accounts of the domain and who is subscribed to whom. It
// doesn't change after newAccounts.
type accounts struct {
	domain   jid.JID
	known    map[string]credentials // by local part
	contacts map[string][]string    // by local part; sorted
	decoy    []byte                 // key for the salts of accounts that don't exist
}

func newAccounts(domain jid.JID, passwords map[string]string, pairs [][2]string) (*accounts, error) {
	a := &accounts{
		domain:   domain,
		known:    make(map[string]credentials),
		contacts: make(map[string][]string),
		decoy:    randomBytes(sha256.Size),
	}
	for name, password := range passwords {
		if err := a.add(name, password); err != nil {
			return nil, fmt.Errorf("account %q: %w", name, err)
		}
	}
	if pairs == nil {
		pairs = a.allPairs()
	}
	for _, pair := range pairs {
		if err := a.subscribe(pair); err != nil {
			return nil, fmt.Errorf("subscription of %q and %q: %w", pair[0], pair[1], err)
		}
	}
	return a, nil
}

func (a *accounts) add(name, password string) error {
	local, err := a.normal(name)
	if err != nil {
		return err
	}
	if _, ok := a.known[local]; ok {
		return errDoubleName
	}
	if password == "" {
		return errEmptySecret
	}
	salt := string(randomBytes(saltBytes))
	var c credentials
	if c.sha1, err = store(scram.SHA1, password, salt); err != nil {
		return err
	}
	if c.sha256, err = store(scram.SHA256, password, salt); err != nil {
		return err
	}
	a.known[local] = c
	return nil
}

// normal is the local part as RFC 7622 has it compared.
func (a *accounts) normal(name string) (string, error) {
	j, err := jid.New(name, a.domain.Domainpart(), "")
	if err != nil {
		return "", err
	}
	if j.Localpart() == "" {
		return "", errEmptyAccount
	}
	return j.Localpart(), nil
}

func (a *accounts) allPairs() (pairs [][2]string) {
	for one := range a.known {
		for other := range a.known {
			if one < other {
				pairs = append(pairs, [2]string{one, other})
			}
		}
	}
	return pairs
}

func (a *accounts) subscribe(pair [2]string) error {
	var local [2]string
	for i, name := range pair {
		var err error
		if local[i], err = a.normal(name); err != nil {
			return err
		}
		if _, ok := a.known[local[i]]; !ok {
			return errNoAccount
		}
	}
	for i, owner := range local {
		contact := local[1-i]
		if owner == contact || slices.Contains(a.contacts[owner], contact) {
			continue
		}
		a.contacts[owner] = append(a.contacts[owner], contact)
		slices.Sort(a.contacts[owner])
	}
	return nil
}

// lookup is the scram.CredentialLookup for one hash. An account that doesn't
// exist has credentials too, that nothing fits: so a login can't tell whether
// it does.
func (a *accounts) lookup(pick func(credentials) scram.StoredCredentials) scram.CredentialLookup {
	return func(name string) (scram.StoredCredentials, error) {
		local, err := a.normal(name)
		if err != nil {
			return scram.StoredCredentials{}, err
		}
		if c, ok := a.known[local]; ok {
			return pick(c), nil
		}
		return a.decoyFor(local), nil
	}
}

func (a *accounts) decoyFor(local string) scram.StoredCredentials {
	mac := hmac.New(sha256.New, a.decoy)
	mac.Write([]byte(local))
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(mac.Sum(nil)[:saltBytes]), Iters: saltIterations},
		StoredKey:  randomBytes(sha256.Size),
		ServerKey:  randomBytes(sha256.Size),
	}
}

// checkPassword is for PLAIN. It takes as long for an account that doesn't
// exist.
func (a *accounts) checkPassword(name, password string) bool {
	want, err := a.lookup(func(c credentials) scram.StoredCredentials { return c.sha256 })(name)
	if err != nil {
		return false
	}
	got, err := store(scram.SHA256, password, want.Salt)
	return err == nil && hmac.Equal(got.StoredKey, want.StoredKey)
}

// store derives what is kept of a password.
func store(hash scram.HashGeneratorFcn, password, salt string) (scram.StoredCredentials, error) {
	// The name plays no part in the keys.
	c, err := hash.NewClient("account", password, "")
	if err != nil {
		return scram.StoredCredentials{}, err
	}
	return c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: salt, Iters: saltIterations})
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	// rand.Read never fails: it ends the program instead.
	_, _ = rand.Read(b)
	return b
}
