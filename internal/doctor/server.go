package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"

	"git-remote-xmpp/transport"
)

const (
	// serverWithin is how long a login may take: once more than it has itself, for servers that send us on.
	serverWithin = time.Minute
	// servicesWithin is how long the server has to name its services.
	servicesWithin = 5 * time.Second
	// soon is when a certificate is about to expire.
	soon = 14 * 24 * time.Hour
)

// Server logs in and says how that went; no endpoint if it didn't go well. The caller closes it.
func Server(ctx context.Context, cfg transport.Config) (steps Steps, endpoint *transport.Endpoint) {
	ctx, cancel := context.WithTimeout(ctx, serverWithin)
	defer cancel()
	cfg.Progress = &transport.Progress{}
	if cfg.Record != nil {
		cfg.Record = unchanged{cfg.Record}
	}
	if cfg.Tokens != nil {
		cfg.Tokens = unchangedTokens{cfg.Tokens}
	}
	endpoint, err := transport.Start(ctx, cfg)
	login := cfg.Progress.Login()
	for _, stage := range []struct {
		name, evidence string
		done           bool
	}{
		{"address", addressText(login, cfg), len(login.Targets) > 0},
		{"connect", login.Address, login.Address != ""},
		{"tls", tlsText(login), login.TLSVersion != 0},
		{"login", loginText(login), err == nil},
	} {
		switch {
		case stage.done:
			steps.OK(stage.name, "%s", stage.evidence)
		case err == nil || steps.Failures() > 0:
			steps.None(stage.name, "not reached")
		default:
			steps.Fail(stage.name, err, "")
			if stage.name == "connect" && isDomainItself(login, cfg) {
				steps.advise("is the name right? DNS has no SRV record for _xmpp-client._tcp.%[1]s, nor _xmpps-client: if the server's name isn't %[1]s, set xmpp.server, and tell its operator",
					cfg.Account.Domainpart())
			}
		}
		if stage.name == "tls" && login.Certificate != nil {
			adviseCertificate(steps, login.Certificate, stage.done)
		}
	}
	if err != nil {
		return steps, nil
	}
	steps.limits(login, cfg)
	steps.rate(ctx, endpoint, cfg)
	steps.copies(ctx, endpoint, cfg)
	steps.services(ctx, endpoint, cfg)
	return steps, endpoint
}

// An unchanged record is read only.
type unchanged struct{ transport.Record }

// Raise does nothing.
func (unchanged) Raise(string) error { return nil }

// unchangedTokens are read only. The server takes the one that it gave before as long as we don't use the next.
type unchangedTokens struct{ transport.Tokens }

// Keep does nothing.
func (unchangedTokens) Keep(_, _ transport.Token) error { return nil }

// Drop does nothing.
func (unchangedTokens) Drop(transport.Token) error { return nil }

// isDomainItself tells whether the server is looked for under the name of the domain, as where DNS names none.
func isDomainItself(l transport.Login, cfg transport.Config) bool {
	return cfg.Server == "" && len(l.Targets) == 1 && l.Targets[0] == net.JoinHostPort(cfg.Account.Domainpart(), "5222")
}

func addressText(l transport.Login, cfg transport.Config) string {
	text := strings.Join(l.Targets, ", ")
	if cfg.Server != "" {
		return text + " (xmpp.server)"
	}
	if isDomainItself(l, cfg) {
		return fmt.Sprintf("%s, for DNS names no other (SRV)", text)
	}
	return fmt.Sprintf("%s (DNS of %s)", text, cfg.Account.Domainpart())
}

func tlsText(l transport.Login) string {
	if l.Certificate == nil {
		return ""
	}
	return tls.VersionName(l.TLSVersion) + ", " + certificateText(l.Certificate)
}

// certificateText is what people want to know of a certificate.
func certificateText(c *x509.Certificate) string {
	const shownNames = 3
	names := strings.Join(c.DNSNames[:min(len(c.DNSNames), shownNames)], ", ")
	if len(c.DNSNames) > shownNames {
		names += ", …"
	}
	return fmt.Sprintf("certificate for %q by %q until %s", names, c.Issuer.CommonName, c.NotAfter.UTC().Format(time.DateOnly))
}

func adviseCertificate(steps Steps, c *x509.Certificate, accepted bool) {
	left := time.Until(c.NotAfter)
	switch {
	case !accepted:
		steps.advise("it showed a %s", certificateText(c))
	case left < soon:
		steps.advise("the certificate expires in %.0f hours: tell the server's operator", left.Hours())
	}
}

func loginText(l transport.Login) string {
	text := fmt.Sprintf("%s by %s", l.JID, l.Mechanism)
	if strings.HasSuffix(l.Mechanism, "-PLUS") || strings.HasSuffix(l.Mechanism, "-EXPR") {
		return text + ", bound to the TLS connection"
	}
	return text + " (offered: " + l.Offered + ")"
}

// ourStanzas is how large the messages are that carry our packets.
const ourStanzas = 8192

func (s *Steps) limits(l transport.Login, cfg transport.Config) {
	switch {
	case l.MaxStanza == 0:
		s.None("limits", "the server doesn't say them (XEP-0478)")
	case l.MaxStanza < ourStanzas:
		s.OK("limits", "stanzas of up to %d bytes", l.MaxStanza)
		s.advise("our messages could have %d: transfers would be faster with a higher limit", ourStanzas)
	default:
		s.OK("limits", "stanzas of up to %d bytes", l.MaxStanza)
	}
	if cfg.InbandLimit > 0 {
		s.advise("xmpp.inbandLimit is %d bytes per second", cfg.InbandLimit)
	}
}

func (s *Steps) services(ctx context.Context, e *transport.Endpoint, cfg transport.Config) {
	if cfg.Direct == nil {
		s.None("services", "STUN, TURN and proxies aren't asked for: xmpp.directPath is never")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, servicesWithin)
	defer cancel()
	var names []string
	for _, server := range e.Services(ctx) {
		names = append(names, server.String())
	}
	if proxy := e.ProxyAddress(ctx); proxy != "" {
		names = append(names, "proxy "+proxy)
	}
	if len(names) == 0 {
		s.None("services", "no STUN or TURN server is named by the server (XEP-0215), nor set, and it has no proxy (XEP-0065)")
		s.advise("packets go directly within a network, or where one side has an open address; for more set xmpp.iceServers")
		return
	}
	s.OK("services", "%s", strings.Join(names, ", "))
}
