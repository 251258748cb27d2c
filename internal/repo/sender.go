package repo

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"git-remote-xmpp/internal/refname"
)

// Service is a git service that a peer may ask for. The set is closed.
type Service string

// The services; their names are the ones of git's `connect` to a helper.
const (
	UploadPack    Service = "git-upload-pack"
	ReceivePack   Service = "git-receive-pack"
	UploadArchive Service = "git-upload-archive"
)

// Valid reports whether s is one of the services.
func (s Service) Valid() bool {
	return s == UploadPack || s == ReceivePack || s == UploadArchive
}

// Writes reports whether the service changes the repository.
func (s Service) Writes() bool { return s == ReceivePack }

// The values of Policy.
const (
	ModeFallback  = "fallback" // a push never fails because histories diverged
	ModeDirect    = "direct"   // plain git semantics
	IntegrateFF   = "ff"       // bring branches up by fast-forward
	IntegrateNone = "none"     // never touch a branch
	// IntegrateMerge is IntegrateFF and, for a branch that has diverged, a
	// merge if there is no conflict.
	IntegrateMerge = "merge"
)

// Policy says what a received push does to branches. The zero value is
// fallback with fast-forward.
type Policy struct {
	Mode      string // ModeFallback or ModeDirect; "" is ModeFallback
	Integrate string // IntegrateFF, IntegrateNone or IntegrateMerge; "" is IntegrateFF
	// SenderMerges says that the sender merges what comes from here. Then nothing is merged with what the sender pushes, so that two
	// repositories don't merge each other's merges for ever: what has diverged waits in the fallback ref.
	SenderMerges bool
	// Refs are those that the sender may change: branches, with the fallback refs for them, and others. Empty: all.
	Refs refname.Patterns
	// Told says that somebody wants to know what the push has changed: see [Record].
	Told bool
}

func (p Policy) withDefaults() (Policy, error) {
	if p.Mode == "" {
		p.Mode = ModeFallback
	}
	if p.Integrate == "" {
		p.Integrate = IntegrateFF
	}
	if p.Integrate == IntegrateMerge && p.SenderMerges {
		p.Integrate = IntegrateFF
	}
	if p.Mode != ModeFallback && p.Mode != ModeDirect {
		return p, fmt.Errorf("unknown push mode %q", p.Mode)
	}
	if p.Integrate != IntegrateFF && p.Integrate != IntegrateNone && p.Integrate != IntegrateMerge {
		return p, fmt.Errorf("unknown way to integrate %q", p.Integrate)
	}
	return p, nil
}

// ErrSender says that a sender's description can't be used.
var ErrSender = errors.New("bad sender")

// maxSenderFieldBytes bounds each field of a Sender; a JID has at most 3,071
// bytes (RFC 7622, section 3.1).
const maxSenderFieldBytes = 3071

// Sender is who uses a service: what reflogs and hooks are told.
type Sender struct {
	JID   string // required
	UUID  string // of the pusher's repository, in lower case; required for a push
	Key   string // the public key's printed form or fingerprint
	Label string // a name for people; may be empty
}

// check says what is wrong with a sender. It guards environment variables,
// reflog lines and, by the UUID, ref names.
func (s Sender) check(writes bool) error {
	for _, f := range []string{s.JID, s.UUID, s.Key, s.Label} {
		if len(f) > maxSenderFieldBytes || !utf8.ValidString(f) || strings.ContainsFunc(f, unicode.IsControl) {
			return fmt.Errorf("%w: too long, or not plain text", ErrSender)
		}
	}
	if s.JID == "" {
		return fmt.Errorf("%w: no address", ErrSender)
	}
	if s.UUID == "" && !writes {
		return nil
	}
	if !isUUID(s.UUID) {
		return fmt.Errorf("%w: bad uuid", ErrSender)
	}
	return nil
}

// name is what a person would call the sender.
func (s Sender) name() string {
	if s.Label != "" {
		return s.Label
	}
	return s.JID
}

// reflog is the reflog's message for a ref that the sender's push moves.
func (s Sender) reflog() string {
	return strings.Join([]string{"push over xmpp from", s.name(), s.JID, s.UUID, s.Key}, " ")
}

// environ is what hooks see of the sender.
func (s Sender) environ() []string {
	return []string{
		envPeerJID + "=" + s.JID, envPeerUUID + "=" + s.UUID,
		envPeerKey + "=" + s.Key, envPeerLabel + "=" + s.Label,
	}
}

// senderFrom is environ's inverse.
func senderFrom(getenv func(string) string) (Sender, error) {
	s := Sender{getenv(envPeerJID), getenv(envPeerUUID), getenv(envPeerKey), getenv(envPeerLabel)}
	return s, s.check(true)
}
