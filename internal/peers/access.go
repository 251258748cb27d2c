package peers

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

const (
	maxLabelRunes   = 64
	maxNameBytes    = 1024 // of a repository, as in a URL
	maxAddressBytes = 2047 // of a bare JID: two parts of 1,023 (RFC 7622) and an '@'
)

var (
	// ErrBadAccess says that a text is none of none, read and write.
	ErrBadAccess = errors.New("access is none, read or write")
	// ErrBadLabel says that a label can't be shown to people as it is.
	ErrBadLabel = errors.New("a label is at most 64 characters, none of them control characters")
	// ErrBadUUID says that a repository's UUID isn't one.
	ErrBadUUID = errors.New("not a UUID")
	// ErrBadAddress says that an address isn't a bare JID.
	ErrBadAddress = errors.New("not a bare JID")

	errBadName = errors.New("not the name of a repository")
)

// Access is what a peer may do with a repository here. Its order is that of
// power; the zero value is none.
type Access int

// The kinds of access.
const (
	None Access = iota
	Read
	Write
)

var accessNames = [...]string{None: "none", Read: "read", Write: "write"}

// ParseAccess reads "none", "read" or "write".
func ParseAccess(s string) (Access, error) {
	for a, name := range accessNames {
		if s == name {
			return Access(a), nil
		}
	}
	return None, ErrBadAccess
}

// String returns "none", "read" or "write".
func (a Access) String() string {
	if !a.valid() {
		return fmt.Sprintf("access(%d)", int(a))
	}
	return accessNames[a]
}

// MarshalText returns what String does.
func (a Access) MarshalText() ([]byte, error) {
	if !a.valid() {
		return nil, ErrBadAccess
	}
	return []byte(accessNames[a]), nil
}

// UnmarshalText is ParseAccess.
func (a *Access) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAccess(string(text))
	return err
}

func (a Access) valid() bool { return a >= None && a <= Write }

// checkLabel refuses what could deceive whoever reads a list of peers.
func checkLabel(label string) error {
	if utf8.RuneCountInString(label) > maxLabelRunes || !printable(label) {
		return ErrBadLabel
	}
	return nil
}

func checkName(name string) error {
	if len(name) > maxNameBytes || !printable(name) {
		return errBadName
	}
	return nil
}

func checkAddress(address string) error {
	at := strings.IndexByte(address, '@')
	if len(address) > maxAddressBytes || at < 1 || at == len(address)-1 || strings.Contains(address, "/") || !printable(address) {
		return ErrBadAddress
	}
	return nil
}

// printable tells text without control characters, line breaks or marks that
// turn the direction of what is around it.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
	})
}

// canonicalUUID returns a UUID in the one form in which they are compared.
func canonicalUUID(s string) (string, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != len(id.String()) {
		return "", ErrBadUUID
	}
	return id.String(), nil
}
