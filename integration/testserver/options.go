package testserver

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
)

// What Options' zero values stand for.
const (
	DefaultMaxStanzaBytes = 262144 // Prosody's and Debian's ejabberd's own
	DefaultBurstBytes     = 20000  // Debian's ejabberd's own
	DefaultDomain         = "localhost"
	DefaultHost           = "127.0.0.1"
)

// Options says how an XMPP server is to be set up. The zero value is three
// accounts on localhost, without a rate limit.
type Options struct {
	// Accounts maps local parts to passwords. Default: alice, bob and carol.
	Accounts map[string]string
	// Domain is the virtual host. It need not resolve: clients connect to Addr.
	Domain string
	// Dir is where the server keeps its files. It is made if missing, and left
	// as it is by Stop. Default: a temporary folder that Stop removes.
	Dir string
	// MaxStanzaBytes is the largest stanza that the server accepts. Neither is
	// exact: Prosody looks after each chunk that it reads, so a stanza that ends
	// in the very chunk that goes over the limit passes; ejabberd counts whole
	// chunks, so stanzas sent together may be refused that fit one by one.
	MaxStanzaBytes int
	// DisableMechanisms are mechanisms of SASL that aren't offered.
	DisableMechanisms []string
	// BytesPerSecond limits what the server reads from a client; 0 is no limit.
	// Prosody takes multiples of 1,000 only.
	BytesPerSecond int
	// BurstBytes is what ejabberd lets through at full speed before the limit
	// holds. Prosody has no such setting.
	BurstBytes int
	// StrictBytes of text in messages of type headline per second are what Prosody takes from a session, 0 is no limit. What happens with more is Beyond:
	// "bounce", they are answered with a resource-constraint, or the condition of a stream error that ends the session.
	StrictBytes int
	Beyond      string
	// HostilePercent of the messages of type headline each are lost, repeated,
	// delayed and put out of order.
	HostilePercent int
	// Archive has the server keep people's messages (XEP-0313).
	Archive bool
	// CopyAll has the server send carbons (XEP-0280) of all messages to full JIDs, and archive them, those of type headline and with no-copy, too. Only Prosody does that
	// here, and only with Archive.
	CopyAll bool
	// TURN is a server that clients are told of, with passwords for an hour (XEP-0215). Only Prosody can do that here.
	TURN *TURNServer
	// TURNOver is what that server is named for besides UDP: "tcp" or "tls".
	TURNOver string
	// Proxy offers SOCKS5 bytestreams through the server (XEP-0065).
	Proxy bool
	// Rooms offers rooms (XEP-0045) at rooms.<Domain>, which anybody makes by entering them.
	Rooms bool
	// SASL2 offers logins by SASL2 (XEP-0388) with Bind 2 and tokens (XEP-0386, XEP-0484). Only Prosody does that here, with [ProsodyModules].
	SASL2 bool
	// RotateTokens gives a new token at each login by one, rather than once a day.
	RotateTokens bool
	// Extra lines of the configuration: for Prosody global ones, for ejabberd what stands in the place of its shapers. Clients get the rule c2s_shaper then.
	Extra string
	Place
	federation *Federation // see [Federation.Options]
}

// plainName is what Accounts' keys and Domain are made of: nothing that needs
// escaping in Lua, YAML or Erlang, and nothing that looks like an option.
var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)

// mechanismName is how those of SASL are written (RFC 4422, 3.1).
var mechanismName = regexp.MustCompile(`^[A-Z0-9_-]{1,20}$`)

// withDefaults fills in zero values and refuses what can't be written into the
// servers' configuration files.
func (o Options) withDefaults() (Options, error) {
	o.Accounts = maps.Clone(o.Accounts)
	if o.Accounts == nil {
		o.Accounts = map[string]string{"alice": "alice-secret", "bob": "bob-secret", "carol": "carol-secret"}
	}
	if o.Domain == "" {
		o.Domain = DefaultDomain
	}
	if o.MaxStanzaBytes == 0 {
		o.MaxStanzaBytes = DefaultMaxStanzaBytes
	}
	if o.BurstBytes == 0 {
		o.BurstBytes = DefaultBurstBytes
	}
	if o.MaxStanzaBytes < 0 || o.BytesPerSecond < 0 || o.BurstBytes < 0 {
		return o, errors.New("a limit is negative")
	}
	if !plainName.MatchString(o.Domain) {
		return o, fmt.Errorf("unusable domain %q", o.Domain)
	}
	if address, err := netip.ParseAddr(o.host()); err != nil || !address.Is4() {
		return o, fmt.Errorf("unusable host %q", o.Host)
	}
	for _, name := range o.DisableMechanisms {
		if !mechanismName.MatchString(name) {
			return o, fmt.Errorf("unusable mechanism %q", name)
		}
	}
	for name, password := range o.Accounts {
		if !plainName.MatchString(name) {
			return o, fmt.Errorf("unusable local part %q", name)
		}
		if password == "" {
			return o, fmt.Errorf("no password for %q", name)
		}
	}
	return o, nil
}

// makeDir returns the absolute path of dir, which it makes if missing, or of a
// new temporary folder if dir is empty; owned is true for the latter.
func makeDir(dir, pattern string) (path string, owned bool, err error) {
	if dir == "" {
		path, err = os.MkdirTemp("", pattern)
		return path, true, err
	}
	if path, err = filepath.Abs(dir); err != nil {
		return "", false, err
	}
	return path, false, os.MkdirAll(path, 0o700)
}
