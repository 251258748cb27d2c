package protocol

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Limits of what a message may hold.
const (
	MaxNameChars       = 64   // labels, software
	MaxRepositoryBytes = 1024 // a repository's name: a relative path
	MaxTextChars       = 512  // the text of a refusal
	MaxNames           = 64   // names in a refusal
	MaxTips            = 256  // tips in a CanPush, refs in a PushRequest
	MaxRefBytes        = 1024 // the name of a ref
	inviteBytes        = 16
)

func (m *Hello) check() error {
	switch {
	case len(m.Invite) != 0 && len(m.Invite) != inviteBytes:
		return errors.New("invite of a wrong length")
	case m.Granted != "" && !IsUUID(m.Granted):
		return errors.New("granted: not a uuid")
	case len(m.Resource) > 128:
		return errors.New("resource too long")
	}
	return errors.Join(checkText("software", m.Software, MaxNameChars),
		checkText("label", m.Label, MaxNameChars), checkText("resource", m.Resource, 128), m.checkVouches())
}

func (m *Open) check() error {
	switch {
	case !m.Service.Valid():
		return errors.New("unknown service")
	case m.GitProtocol > 2:
		return fmt.Errorf("unknown version %d of git's protocol", m.GitProtocol)
	case m.Client != "" && !IsUUID(m.Client):
		return errors.New("client: not a uuid")
	case m.Client == "" && m.Service.Writes():
		return errors.New("push without the client's uuid")
	}
	return checkRepository(m.Repository)
}

func (m *Accept) check() error {
	if !IsUUID(m.Repository) {
		return errors.New("repository: not a uuid")
	}
	if m.Size > MaxObjectBytes { // no larger than an object may be that is in it
		return errors.New("repository: too large")
	}
	return checkRepository(m.Name)
}

func (m *Queued) check() error { return nil }

func (m *Refuse) check() error {
	if m.Code == 0 {
		return errors.New("refusal without a code")
	}
	if len(m.Names) > MaxNames {
		return errors.New("too many names")
	}
	for _, name := range m.Names {
		if err := checkRepository(name); err != nil {
			return err
		}
	}
	return checkText("text", m.Text, MaxTextChars)
}

func (m *Done) check() error {
	if m.Status > 255 {
		return fmt.Errorf("exit status %d", m.Status)
	}
	return nil
}

func (m Data) check() error   { return nil }
func (m Stderr) check() error { return nil }

func (m *CanPush) check() error {
	if len(m.Tips) > MaxTips {
		return errors.New("too many tips")
	}
	for _, id := range m.Tips {
		if len(id) != 20 && len(id) != 32 {
			return errors.New("tip: not an object id")
		}
	}
	if len(m.Refs) != 0 && len(m.Refs) != len(m.Tips) {
		return errors.New("not one ref for each tip")
	}
	return errors.Join(checkRefs(m.Refs), checkPair(m.From, m.To))
}

func (m *PushRequest) check() error { return errors.Join(checkRefs(m.Refs), checkPair(m.From, m.To)) }

func (m *Announce) check() error {
	if !IsUUID(m.From) {
		return errors.New("from: not a uuid")
	}
	return checkRepository(m.Repository)
}

func (m *Announced) check() error     { return checkPair(m.From, m.To) }
func (m *StartingPush) check() error  { return checkPair(m.From, m.To) }
func (m *NothingNeeded) check() error { return checkPair(m.From, m.To) }

// checkRefs checks what the names of refs have in common that both sides deal with: git knows the rest (git-check-ref-format(1)).
func checkRefs(refs []string) error {
	if len(refs) > MaxTips {
		return errors.New("too many refs")
	}
	for _, ref := range refs {
		if !strings.HasPrefix(ref, "refs/") || len(ref) > MaxRefBytes || !utf8.ValidString(ref) || strings.ContainsFunc(ref, unicode.IsControl) {
			return errors.New("ref: not the name of one")
		}
	}
	return nil
}

func checkPair(from, to string) error {
	if !IsUUID(from) || !IsUUID(to) {
		return errors.New("from, to: not a uuid")
	}
	return nil
}

// IsUUID tells whether s is a UUID in the canonical lower-case form of RFC 9562.
func IsUUID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

// checkRepository checks the name of a repository: a relative path with no way up.
func checkRepository(name string) error {
	if len(name) > MaxRepositoryBytes {
		return errors.New("repository: name too long")
	}
	if name == "" {
		return nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.HasPrefix(part, "-") || strings.Contains(part, `\`) {
			return errors.New("repository: not a plain relative name")
		}
	}
	return checkText("repository", name, MaxRepositoryBytes)
}

// checkText checks that a string for people is valid UTF-8 without control characters.
func checkText(field, s string, maxChars int) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s: not utf-8", field)
	}
	if utf8.RuneCountInString(s) > maxChars {
		return fmt.Errorf("%s: over %d characters", field, maxChars)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return fmt.Errorf("%s: holds control characters", field)
	}
	return nil
}
