package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"mellium.im/xmpp/jid"
)

const (
	// maxURLBytes is the longest URL of a remote, percent-encoding included.
	maxURLBytes = 1024

	helperPrefix = "xmpp::"
	schemePrefix = "xmpp://"
	inviteKey    = "invite"
)

// Remote is what the URL of a remote says.
type Remote struct {
	Address jid.JID // the account that peers serve from; bare
	Repo    string  // the name or UUID of a repository there, a relative path with slashes; empty: the only one
	Invite  string  // an invite as it was handed out; empty: none. Secret until used.
}

// URLError says what is wrong with the URL of a remote.
type URLError struct {
	URL    string // without its query, which may hold a secret
	Reason string
}

// Error is one line that ends with what is expected.
func (e *URLError) Error() string {
	return fmt.Sprintf("malformed url %s: %s, expected xmpp::user@host[/repo]", quote(e.URL), e.Reason)
}

// ParseRemote reads the URL of a remote. It takes xmpp::user@host[/repo] as
// users write it, the same without xmpp:: as git hands it to a remote helper
// (gitremote-helpers(7)), and xmpp://user@host[/repo]; each may end in
// ?invite=… . Errors are a [*URLError].
func ParseRemote(raw string) (Remote, error) {
	r, err := parseRemote(raw)
	if err != nil {
		shown, _, hidden := strings.Cut(raw, "?")
		if hidden {
			shown += "?…"
		}
		return Remote{}, &URLError{URL: shown, Reason: err.Error()}
	}
	return r, nil
}

// String returns the URL in the form xmpp::user@host/repo, with the invite if
// there is one. [ParseRemote] reads it back to the same Remote.
func (r Remote) String() string {
	s := helperPrefix + url.PathEscape(r.Address.Localpart()) + "@" + r.Address.Domainpart()
	if r.Repo != "" {
		s += "/" + (&url.URL{Path: r.Repo}).EscapedPath()
	}
	if r.Invite != "" {
		s += "?" + url.Values{inviteKey: {r.Invite}}.Encode()
	}
	return s
}

// WithoutInvite returns the remote without its secret: what to print and keep.
func (r Remote) WithoutInvite() Remote {
	r.Invite = ""
	return r
}

func parseRemote(raw string) (Remote, error) {
	if err := checkText(raw); err != nil {
		return Remote{}, err
	}
	rest := strings.TrimPrefix(raw, helperPrefix)
	rest = strings.TrimPrefix(rest, schemePrefix)
	if strings.Contains(rest, "#") {
		return Remote{}, errors.New("it has a '#' (write %23)")
	}
	rest, query, _ := strings.Cut(rest, "?")
	account, path, _ := strings.Cut(rest, "/")

	var r Remote
	var err error
	if r.Address, err = urlAccount(account); err != nil {
		return Remote{}, err
	}
	if r.Repo, err = urlRepo(path); err != nil {
		return Remote{}, err
	}
	if r.Invite, err = urlInvite(query); err != nil {
		return Remote{}, err
	}
	if len(r.String()) > maxURLBytes {
		return Remote{}, errTooLong
	}
	return r, nil
}

var (
	errTooLong = errors.New("longer than 1024 bytes")
	errControl = errors.New("it has a control character")
	errUTF8    = errors.New("it is not UTF-8")
	errPercent = errors.New("a bad percent-encoding")
)

// checkText refuses what no part of a URL may have, encoded or not.
func checkText(s string) error {
	switch {
	case len(s) > maxURLBytes:
		return errTooLong
	case !utf8.ValidString(s):
		return errUTF8
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return errControl
	}
	return nil
}

// unescape takes the percent-encoding off, and checks what comes to light.
func unescape(s string) (string, error) {
	plain, err := url.PathUnescape(s)
	if err != nil {
		return "", errPercent
	}
	return plain, checkText(plain)
}

// urlAccount reads user@host. Only the user can be percent-encoded: a host
// name has nothing that would need it.
func urlAccount(s string) (jid.JID, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return jid.JID{}, errors.New("no user")
	}
	local, err := unescape(s[:at])
	if err != nil {
		return jid.JID{}, err
	}
	if strings.HasPrefix(local, "-") {
		return jid.JID{}, errors.New("it begins with '-'")
	}
	return bareAddress(local, s[at+1:])
}

// urlRepo reads the name of a repository: a relative path with slashes that
// stays inside of where it starts.
func urlRepo(path string) (string, error) {
	repo, err := unescape(path)
	if err != nil {
		return "", err
	}
	repo = strings.TrimSuffix(repo, "/")
	switch {
	case repo == "" && path == "" || path == "/":
		return "", nil
	case repo == "" || repo[0] == '/', len(repo) > 1 && repo[1] == ':':
		return "", errors.New("the repository is an absolute path")
	case strings.Contains(repo, `\`):
		return "", errors.New("the repository has a backslash")
	}
	for element := range strings.SplitSeq(repo, "/") {
		switch element {
		case "", ".", "..":
			return "", errors.New("the repository has an empty, '.' or '..' element")
		}
		if element[0] == '-' {
			return "", errors.New("the repository has an element that begins with '-'")
		}
	}
	return repo, nil
}

// urlInvite reads the query; invite is the only key that there is.
func urlInvite(query string) (string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", errors.New("a bad query")
	}
	for key, v := range values {
		if key != inviteKey {
			return "", fmt.Errorf("unknown query key %s", quote(key))
		}
		if len(v) != 1 || v[0] == "" {
			return "", errors.New("not exactly one invite")
		}
	}
	invite := values.Get(inviteKey)
	return invite, checkText(invite)
}
