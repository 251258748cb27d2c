// Package config finds out what the user has set: git config, git -c, the
// environment, the URL of a remote, the password and the folders of this
// installation.
//
// It asks the real git, so that includes, conditional includes, scopes and
// git -c mean what they mean everywhere else. It knows nothing of XMPP beyond
// what an address looks like, nothing of keys and peers, and opens no
// connection.
package config

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
)

const (
	// DefaultTimeout is how long a transfer may go without progress where
	// xmpp.timeout says nothing.
	DefaultTimeout = 120 * time.Second
	// DefaultProtocolVersion is git's own default of protocol.version.
	DefaultProtocolVersion = 2
	// DefaultMaxPushes and DefaultMaxFetches are how many serve runs at once where xmpp.maxPushes and
	// xmpp.maxFetches say nothing; maxRuns is the most that they can say.
	DefaultMaxPushes  = 4
	DefaultMaxFetches = 8
	maxRuns           = 64
	maxRunsText       = "a number of 1 to 64"
	// maxTimeoutSeconds is the longest xmpp.timeout: a day.
	maxTimeoutSeconds = 24 * 60 * 60
)

// ErrNoAccount says that no setting names the XMPP account to use.
var ErrNoAccount = errors.New("no XMPP account configured; set one: git config --global xmpp.account you@example.org")

// PushMode says what a push does to the branches of the serving side.
type PushMode string

// The values of xmpp.pushMode.
const (
	PushFallback PushMode = "fallback" // what doesn't fast-forward goes to refs/synced
	PushDirect   PushMode = "direct"   // plain git semantics
)

// Integrate says how the serving side brings a received branch into its own.
type Integrate string

// The values of xmpp.integrate.
const (
	IntegrateFF    Integrate = "ff"
	IntegrateMerge Integrate = "merge"
	IntegrateNone  Integrate = "none"
)

// Use says whether something optional is used: xmpp.directPath, xmpp.agent.
type Use string

// The values of xmpp.directPath and xmpp.agent.
const (
	UseAuto  Use = "auto"
	UseNever Use = "never"
	UseRelay Use = "relay" // of a direct path: by TURN servers only, so that the peer doesn't get to know our addresses
)

// ServerAddr is where the XMPP server is. The zero value means: ask DNS for
// the SRV records of the account's domain.
type ServerAddr struct {
	HostPort  string // as net.Dial takes it
	DirectTLS bool   // TLS from the first byte, instead of STARTTLS
}

// Trace says where a log of what the program does goes.
type Trace struct {
	Enabled bool
	File    string // an absolute path to append to; empty: standard error
}

// Settings is everything that git config, git -c and the environment say.
type Settings struct {
	Account         jid.JID       // bare; the zero JID if none is set
	Server          ServerAddr    // xmpp.server
	CAFile          string        // xmpp.sslCAInfo; empty: the system's roots
	Timeout         time.Duration // xmpp.timeout
	MaxPushes       int           // xmpp.maxPushes: that serve takes in at once
	MaxFetches      int           // xmpp.maxFetches: that serve answers at once
	PushMode        PushMode      // xmpp.pushMode
	Integrate       Integrate     // xmpp.integrate
	DirectPath      Use           // xmpp.directPath
	ICEServers      []ICEServer   // xmpp.iceServers
	InbandLimit     int           // xmpp.inbandLimit, bytes per second; 0: none
	Agent           Use           // xmpp.agent
	Sync            bool          // xmpp.sync
	Export          bool          // xmpp.export
	Notify          jid.JID       // xmpp.notify, bare; the zero JID if nobody is told of pushes
	UUID            string        // xmpp.uuid, lower case; empty if the repository has none yet
	ProtocolVersion int           // protocol.version: 0, 1 or 2
	Trace           Trace         // GIT_XMPP_TRACE

	// from is where the settings came from: later questions to git (for the
	// password) are asked from there. A pointer, so that printing Settings
	// never prints the environment with the password in it.
	from *source
}

// Load asks git, run in dir with the environment env, for its settings and
// puts those of env over them. An empty dir is the current folder, a nil env
// is the environment of this process. Outside of a repository the user's and
// the system's settings count. A setting with an empty value counts as not
// set. A bad value is a [*ValueError].
func Load(ctx context.Context, dir string, env []string) (Settings, error) {
	s := Settings{
		Timeout:         DefaultTimeout,
		MaxPushes:       DefaultMaxPushes,
		MaxFetches:      DefaultMaxFetches,
		PushMode:        PushFallback,
		Integrate:       IntegrateFF,
		DirectPath:      UseAuto,
		Agent:           UseAuto,
		ProtocolVersion: DefaultProtocolVersion,
		from:            newSource(dir, env),
	}
	values, err := s.from.gitSettings(ctx)
	if err != nil {
		return Settings{}, fmt.Errorf("read git config: %w", err)
	}
	for _, k := range knownSettings() {
		if err := k.load(&s, values); err != nil {
			return Settings{}, err
		}
	}
	return s, nil
}

// RequireAccount returns [ErrNoAccount] if no account is set.
func (s Settings) RequireAccount() error {
	if s.Account.Domainpart() == "" {
		return ErrNoAccount
	}
	return nil
}

// WithAccount is the settings of another account, as the user has written it. One that can't be is a [*ValueError].
func (s Settings) WithAccount(text string) (Settings, error) {
	if !setAccount(&s, text) {
		return s, &ValueError{Key: "account", Value: text, Want: accountWant}
	}
	return s, nil
}

// ValueError says that a setting has a value that it can't have.
type ValueError struct {
	Key   string // the setting or the environment variable
	Value string
	Want  string // what is allowed, to be read after "is not"
}

// Error names the key, the value and what is allowed.
func (e *ValueError) Error() string {
	return fmt.Sprintf("%s: %s is not %s", e.Key, quote(e.Value), e.Want)
}

// setting is one key of git config or one variable of the environment.
type setting struct {
	key  string // as documented; empty if only the environment has it
	env  string // empty if only git config has it
	want string // for ValueError
	set  func(s *Settings, value string) bool
}

// load stores the value of k into s, from values (keys in lower case) or the
// environment, which goes first.
func (k setting) load(s *Settings, values map[string]string) error {
	name, value := k.key, values[strings.ToLower(k.key)]
	if v := s.from.getenv(k.env); k.env != "" && v != "" {
		name, value = k.env, v
	}
	if value == "" || k.set(s, value) {
		return nil
	}
	return &ValueError{Key: name, Value: value, Want: k.want}
}
