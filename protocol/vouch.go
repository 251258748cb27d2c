package protocol

import (
	"errors"
	"strings"
)

// Limits of what is said of other installations.
const (
	MaxVouches        = 16  // in a Hello
	MaxShareFrames    = 4   // after a Hello
	MaxShared         = 64  // entries of a Share
	MaxSharedAddress  = 256 // bytes
	keyBytes          = 32
	resourcePrefix    = "git-"
	resourceHexDigits = 16
)

// A Vouch says that a key is another installation of the sender's, at the same bare JID.
type Vouch struct {
	Key      []byte `cbor:"1,keyasint"` // 32 bytes
	Resource string `cbor:"2,keyasint"` // that it serves under
	Label    string `cbor:"3,keyasint,omitempty"`
}

// Share tells another installation of one's own who may do what with the repository of which it has a clone.
type Share struct {
	Entries []Shared `cbor:"1,keyasint"`
}

// A Shared is a peer of the sender's, and what it may do with one repository of the receiver's, as far as the sender may itself.
type Shared struct {
	Repository string      `cbor:"1,keyasint,omitempty"` // UUID, at the receiver; empty if only the address is shared
	Key        []byte      `cbor:"2,keyasint"`           // 32 bytes
	Address    string      `cbor:"3,keyasint"`           // bare JID
	Resource   string      `cbor:"4,keyasint,omitempty"`
	Access     SharedRight `cbor:"5,keyasint,omitempty"`
	Label      string      `cbor:"6,keyasint,omitempty"`
	Pinned     bool        `cbor:"7,keyasint,omitempty"` // the sender expects the key at the address, and resource
}

// A SharedRight is what may be done with a repository.
type SharedRight uint32

// The rights.
const (
	MayRead  SharedRight = 1
	MayWrite SharedRight = 2
)

func (m *Hello) checkVouches() error {
	if len(m.Vouches) > MaxVouches {
		return errors.New("too many vouches")
	}
	if m.Shares > MaxShareFrames {
		return errors.New("too many shares")
	}
	seen := make(map[string]bool)
	for _, v := range m.Vouches {
		if seen[string(v.Key)] {
			return errors.New("vouches: a key twice")
		}
		seen[string(v.Key)] = true
		if err := checkInstallation(v.Key, v.Resource, v.Label); err != nil {
			return err
		}
	}
	return nil
}

func (m *Share) check() error {
	if len(m.Entries) > MaxShared {
		return errors.New("too many entries")
	}
	for _, e := range m.Entries {
		if err := e.check(); err != nil {
			return err
		}
	}
	return nil
}

func (e Shared) check() error {
	switch {
	case e.Repository != "" && !IsUUID(e.Repository):
		return errors.New("repository: not a uuid")
	case e.Access > MayWrite || (e.Access == 0) != (e.Repository == ""):
		return errors.New("access: neither read nor write")
	case e.Pinned && e.Resource == "" || !e.Pinned && e.Repository == "":
		return errors.New("neither a repository nor where to find the peer")
	case len(e.Address) > MaxSharedAddress:
		return errors.New("address: too long")
	}
	local, domain, _ := strings.Cut(e.Address, "@")
	if local == "" || domain == "" || strings.Contains(e.Address, "/") {
		return errors.New("address: not a bare jid")
	}
	resource := e.Resource
	if resource == "" { // it doesn't serve, as far as is known
		resource = resourcePrefix + strings.Repeat("0", resourceHexDigits)
	}
	return errors.Join(checkText("address", e.Address, MaxSharedAddress), checkInstallation(e.Key, resource, e.Label))
}

// checkInstallation checks what is said of an installation.
func checkInstallation(key []byte, resource, label string) error {
	digits, ok := strings.CutPrefix(resource, resourcePrefix)
	switch {
	case len(key) != keyBytes:
		return errors.New("key: not 32 bytes")
	case !ok || len(digits) != resourceHexDigits || strings.Trim(digits, "0123456789abcdef") != "":
		return errors.New("resource: not that of a serve")
	}
	return ValidLabel(label)
}

// ValidLabel refuses what can't be a label in a message.
func ValidLabel(label string) error { return checkText("label", label, MaxNameChars) }
