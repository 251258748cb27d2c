package config

import (
	"math"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// maxQuotedBytes is how much of a bad value an error shows.
const maxQuotedBytes = 100

// accountWant is what an account looks like.
const accountWant = "an account such as you@example.org"

// knownSettings lists every setting with how it is read.
func knownSettings() []setting {
	return []setting{
		{"xmpp.account", "GIT_XMPP_ACCOUNT", accountWant, setAccount},
		{"xmpp.server", "GIT_XMPP_SERVER", "host:port or tls://host:port", setServer},
		{caFileKey, "", "the path of a file", setCAFile},
		{"xmpp.timeout", "GIT_XMPP_TIMEOUT", "a number of seconds (1 to 86400)", setTimeout},
		{"xmpp.maxPushes", "", maxRunsText, func(s *Settings, v string) bool { return setRuns(&s.MaxPushes, v) }},
		{"xmpp.maxFetches", "", maxRunsText, func(s *Settings, v string) bool { return setRuns(&s.MaxFetches, v) }},
		{"xmpp.pushMode", "", "one of: fallback, direct", func(s *Settings, v string) bool {
			return oneOf(&s.PushMode, v, PushFallback, PushDirect)
		}},
		{"xmpp.integrate", "", "one of: ff, merge, none", func(s *Settings, v string) bool {
			return oneOf(&s.Integrate, v, IntegrateFF, IntegrateMerge, IntegrateNone)
		}},
		{"xmpp.directPath", "", "one of: auto, relay, never", func(s *Settings, v string) bool {
			return oneOf(&s.DirectPath, v, UseAuto, UseRelay, UseNever)
		}},
		{"xmpp.iceServers", "", iceWant, setICEServers},
		{"xmpp.inbandLimit", "", "a number of bytes per second (1000 or more, or 0 for no limit), such as 50k", setInbandLimit},
		{"xmpp.agent", "", "one of: auto, never", func(s *Settings, v string) bool {
			return oneOf(&s.Agent, v, UseAuto, UseNever)
		}},
		{"xmpp.sync", "", "true or false", func(s *Settings, v string) bool { return setBool(&s.Sync, v) }},
		{"xmpp.export", "", "true or false", func(s *Settings, v string) bool { return setBool(&s.Export, v) }},
		{"xmpp.notify", "", "the address of a room or a person, such as room@muc.example.org", setNotify},
		{"xmpp.uuid", "", "a UUID such as 123e4567-e89b-12d3-a456-426614174000", setUUID},
		{"protocol.version", "", "one of: 0, 1, 2", setProtocolVersion},
		{"", "GIT_XMPP_TRACE", "0, 1 (standard error) or the absolute path of a file", setTrace},
	}
}

// oneOf stores v if it is one of the allowed values.
func oneOf[T ~string](to *T, v string, allowed ...T) bool {
	if !slices.Contains(allowed, T(v)) {
		return false
	}
	*to = T(v)
	return true
}

// setBool stores a boolean as git's documentation has it ("git config", Values).
func setBool(to *bool, v string) bool {
	switch strings.ToLower(v) {
	case "true", "yes", "on":
		*to = true
	case "false", "no", "off":
		*to = false
	default:
		n, err := strconv.Atoi(v)
		if err != nil {
			return false
		}
		*to = n != 0
	}
	return true
}

func setAccount(s *Settings, v string) bool {
	account, err := parseAccount(v)
	s.Account = account
	return err == nil
}

func setNotify(s *Settings, v string) bool {
	to, err := parseAccount(v)
	s.Notify = to
	return err == nil
}

func setServer(s *Settings, v string) bool {
	hostPort, direct := strings.CutPrefix(v, "tls://")
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil || host == "" || strings.ContainsFunc(host, notHostRune) {
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return false
	}
	s.Server = ServerAddr{HostPort: hostPort, DirectTLS: direct}
	return true
}

// notHostRune tells what can be in no host name and no IP address.
func notHostRune(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`/\@?#"'<>&`, r)
}

// setCAFile takes a relative path from where git runs, as git does for http.sslCAInfo.
func setCAFile(s *Settings, v string) bool {
	if !filepath.IsAbs(v) {
		v = filepath.Join(s.from.dir, v)
	}
	s.CAFile = v
	return true
}

func setTimeout(s *Settings, v string) bool {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxTimeoutSeconds {
		return false
	}
	s.Timeout = time.Duration(n) * time.Second
	return true
}

// setRuns stores how many runs there may be at once.
func setRuns(to *int, v string) bool {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxRuns {
		return false
	}
	*to = n
	return true
}

// minInbandLimit is the lowest xmpp.inbandLimit: with less even a handshake would take too long.
const minInbandLimit = 1000

// setInbandLimit takes a number with git's suffixes for 1,024, its square and its cube.
func setInbandLimit(s *Settings, v string) bool {
	digits, factor := v, 1
	for i, unit := range []string{"k", "m", "g"} {
		if number, ok := strings.CutSuffix(strings.ToLower(v), unit); ok {
			digits, factor = number, 1<<(10*(i+1))
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > math.MaxInt32/factor || n > 0 && n*factor < minInbandLimit {
		return false
	}
	s.InbandLimit = n * factor
	return true
}

func setUUID(s *Settings, v string) bool {
	id, err := uuid.Parse(v)
	if err != nil || len(v) != len(id.String()) {
		return false
	}
	s.UUID = id.String()
	return true
}

func setProtocolVersion(s *Settings, v string) bool {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 2 {
		return false
	}
	s.ProtocolVersion = n
	return true
}

func setTrace(s *Settings, v string) bool {
	var on bool
	switch {
	case filepath.IsAbs(v):
		s.Trace = Trace{Enabled: true, File: v}
	case v == "2", setBool(&on, v) && (v == "0" || v == "1" || !isNumber(v)):
		s.Trace = Trace{Enabled: on || v == "2"}
	default:
		return false
	}
	return true
}

func isNumber(v string) bool {
	_, err := strconv.Atoi(v)
	return err == nil
}

// quote shows a value in an error: printable, on one line, not too long.
func quote(v string) string {
	if len(v) > maxQuotedBytes {
		return strconv.Quote(strings.ToValidUTF8(v[:maxQuotedBytes], "")) + "…"
	}
	return strconv.Quote(v)
}
