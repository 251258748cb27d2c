// Package transport carries QUIC connections between XMPP accounts.
//
// An [Endpoint] keeps one XMPP session alive, logging in again when it is lost,
// and gives quic-go a [net.PacketConn] whose packets ride in XMPP messages, so
// that both ends get streams with TLS 1.3, flow control and retransmission that
// outlive the session. SPEC.md of package protocol, sections 1 to 3, describes what
// goes over the wire.
//
// The package knows nothing of git, of repositories or of who may do what: it is
// told which addresses to read packets from, and which key to expect.
package transport

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mellium.im/xmpp/jid"
)

// NS is the XML namespace of our stanzas' payloads, and the feature in service discovery.
const NS = "urn:x-git-remote-xmpp:1"

// Config says who an [Endpoint] is.
type Config struct {
	Account  jid.JID // bare JID to log in as
	Password string
	// AskPassword is asked for the password when a login needs it and Password is empty. May be nil.
	AskPassword func(context.Context) (string, error)
	// Tokens keeps what the server lets us log in with in place of the password. May be nil: none is asked for.
	Tokens   Tokens
	Resource string // asked for on every login; where the server has Bind 2 and Serve isn't set, it puts something behind it
	// Server overrides the SRV records of the account's domain: "host:port" for STARTTLS,
	// "tls://host:port" for direct TLS.
	Server  string
	RootCAs *x509.CertPool // nil: the system's
	// Record keeps how strong the account's logins were. May be nil: nothing is kept or demanded.
	Record Record
	// Identity is the key that peers know us by.
	Identity ed25519.PrivateKey

	// Admit tells whether packets from a bare JID are read. May be nil: from nobody
	// but those that we dial.
	Admit func(from jid.JID) bool
	// AdmitKnock tells whether the tag of a knock lets in a bare JID that Admit doesn't. May be nil.
	AdmitKnock func(from jid.JID, tag []byte) bool

	// Presence is told that a peer whose packets are read came online or went offline, by the servers' word. Linked is told of every
	// login: peers don't see us before we greet them. Both must not block, and may be nil.
	Presence func(from jid.JID, available bool)
	Linked   func()

	// InbandLimit is how many bytes per second are written to the server at the most; 0 is as many as it takes.
	InbandLimit int

	// Direct says how packets may go past the servers. nil: not at all, no socket is opened.
	Direct *Direct

	// Serve makes the endpoint accept connections, announce itself, and never give up
	// logging in again.
	Serve    bool
	Status   string // text of our presence
	Software string // name, for service discovery and XEP-0092
	Version  string
	// Timeout is how long a connection may be silent before it counts as lost.
	Timeout time.Duration
	// LostPeerGrace is how long a peer that went offline has to come back; 0 is 30 seconds, or most of Timeout if that is less: what is to end by
	// Timeout, the servers' word that the peer is gone tells better.
	LostPeerGrace time.Duration
	Log           *slog.Logger // nil: nothing is logged
	Progress      *Progress    // watches logins; may be nil
}

func (c *Config) verify() error {
	switch {
	case c.Account.Localpart() == "" || c.Account.Resourcepart() != "":
		return fmt.Errorf("transport: account %q isn't a bare address", c.Account)
	case c.Resource == "":
		return errors.New("transport: no resource")
	case len(c.Identity) != ed25519.PrivateKeySize:
		return errors.New("transport: no identity key")
	case c.Timeout <= 0:
		return errors.New("transport: no timeout")
	}
	if c.LostPeerGrace == 0 {
		c.LostPeerGrace = min(lostPeerGrace, c.Timeout-c.Timeout/8)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// What can go wrong, for errors.Is. The texts of the errors that wrap these say it in words.
var (
	// ErrServer says that our own XMPP server can't be reached or doesn't let us in.
	ErrServer = errors.New("xmpp server failed")
	// ErrPassword is an [ErrServer] by which the server refused our password.
	ErrPassword = errors.New("wrong password")
	// ErrDowngrade is an [ErrServer] by which we refused a login that is weaker than an earlier one, or whose offer was changed.
	ErrDowngrade = errors.New("login downgraded")
	// ErrNobody says that nobody is there under the address of a peer.
	ErrNobody = errors.New("nobody there")
	// ErrBlocked is an [ErrNobody] by which our own server sends a peer nothing, because our account has blocked it (XEP-0191).
	ErrBlocked = fmt.Errorf("%w: blocked", ErrNobody)
	// ErrKnock says that the peer doesn't know our invite.
	ErrKnock = errors.New("invite not known")
	// ErrKeyChanged says that a peer has another key than the one expected.
	ErrKeyChanged = errors.New("key changed")
	// ErrLost says that a connection was lost for good, or went silent for too long.
	ErrLost = errors.New("connection lost")
)

// failure is an error of one of the kinds above with a text of its own.
type failure struct {
	text  string
	kinds []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.kinds }

// fail makes an error of a kind. A cause is part of the text only where format says so.
func fail(kind error, format string, args ...any) error {
	kinds := []error{kind}
	if kind == ErrPassword || kind == ErrDowngrade {
		kinds = append(kinds, ErrServer)
	}
	return &failure{text: fmt.Sprintf(format, args...), kinds: kinds}
}
