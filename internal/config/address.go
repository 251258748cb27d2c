package config

import (
	"errors"
	"strings"
	"unicode"

	"mellium.im/xmpp/jid"
)

// parseAccount reads a bare JID with a user, as xmpp.account has it.
func parseAccount(s string) (jid.JID, error) {
	if err := checkText(s); err != nil {
		return jid.JID{}, err
	}
	if strings.Contains(s, "/") {
		return jid.JID{}, errors.New("it has a resource")
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok {
		return jid.JID{}, errors.New("no user")
	}
	return bareAddress(local, domain)
}

// bareAddress makes a bare JID, normalised as RFC 7622 says. It must come out
// the same when it is normalised again: addresses are compared as text.
func bareAddress(local, domain string) (jid.JID, error) {
	switch {
	case local == "":
		return jid.JID{}, errors.New("no user")
	case domain == "":
		return jid.JID{}, errors.New("no host")
	case strings.Contains(domain, ":") && !strings.HasPrefix(domain, "["):
		return jid.JID{}, errors.New("the host has a port (set xmpp.server instead)")
	}
	address, err := jid.New(local, domain, "")
	if err != nil {
		return jid.JID{}, errors.New("no valid user@host")
	}
	again, err := jid.New(address.Localpart(), address.Domainpart(), "")
	if err != nil || !again.Equal(address) || !validDomain(address.Domainpart()) {
		return jid.JID{}, errors.New("no valid user@host")
	}
	return address, nil
}

// validDomain is stricter than RFC 7622, which leaves names outside of DNS to
// local policy: letters, digits, hyphens and dots, or an IPv6
// address in brackets.
func validDomain(d string) bool {
	if strings.HasPrefix(d, "[") {
		return strings.HasSuffix(d, "]") // jid.New read the address in between
	}
	return d != "" && d[0] != '-' && !strings.ContainsFunc(d, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.N, unicode.M) && !strings.ContainsRune("-.", r)
	})
}
