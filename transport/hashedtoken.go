package transport

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// byToken logs in with a token, by the mechanism of hashed tokens (draft-ietf-kitten-sasl-ht): at once, as the server was when it gave the token, or when
// the features have come.
func byToken(conn net.Conn, cfg *Config, state tls.ConnectionState, token Token, hasty bool) (*link, error) {
	client := clientID(cfg)
	binding, err := bindingOf(token.Mechanism, state)
	if err != nil || client == "" {
		return nil, withoutToken(cfg, "it can't be used on this connection")
	}
	p := &sasl2{asks: token, byToken: true, request: userAgent(cfg, client) + bind2Request(cfg, token.Bind2) + "<fast xmlns='" + nsFAST + "'/>"}
	auth := p.auth(token.Mechanism, append([]byte(cfg.Account.Localpart()+"\x00"), tokenHash(token, "Initiator", binding)...))
	cfg.Log.Debug("authenticating", "mechanism", token.Mechanism, "hasty", hasty)
	follows := ""
	if hasty {
		follows = auth
	}
	s, offered, err := openStream(conn, cfg.Account, true, follows)
	if err != nil {
		return nil, err
	}
	if !offered.takes(token.Mechanism) {
		return nil, withoutToken(cfg, "the server doesn't offer %s now", token.Mechanism)
	}
	if !hasty {
		if _, err := fmt.Fprint(conn, auth); err != nil {
			return nil, err
		}
	}
	cfg.Progress.note(func(l *Login) { l.Offered = clean(strings.Join(offered.SASL2.Inline.Tokens, " ")) })
	name, proof, err := p.step(s, cfg)
	switch {
	case err != nil:
		return nil, p.giveUp(cfg, err, hasty)
	case name != "success":
		return nil, withoutToken(cfg, "the server asks for more than that")
	case !hmac.Equal(proof, tokenHash(token, "Responder", binding)):
		return nil, final(errors.New("the server didn't prove that it knows its token: somebody may be in between"))
	}
	cfg.Progress.note(func(l *Login) { l.Mechanism = token.Mechanism })
	return p.link(s, cfg)
}

// giveUp turns an error after which waiting for the features is no help into one that has the login made without the token.
func (p *sasl2) giveUp(cfg *Config, err error, hasty bool) error {
	var said *streamError
	if hasty || errors.Is(err, ErrServer) || errors.Is(err, errFinal) || errors.As(err, &said) && said.isFinal() {
		return err
	}
	return withoutToken(cfg, "%v", inWords(err))
}

// takes tells whether a server lets in by tokens for a mechanism.
func (f *features) takes(mechanism string) bool {
	return f.SASL2 != nil && slices.Contains(f.SASL2.Inline.Tokens, mechanism)
}

// tokenFailure tells why the server refused a token.
func tokenFailure(cfg *Config, condition string) error {
	switch condition {
	case "account-disabled", "temporary-auth-failure":
		return saslFailure(cfg, condition)
	}
	return &failure{
		text:  fmt.Sprintf("log in as %s: the server refuses its token (%s)", cfg.Account, clean(condition)),
		kinds: []error{ErrServer, errToken, errRefused},
	}
}

// withoutToken has a login made without the token.
func withoutToken(cfg *Config, format string, args ...any) error {
	return &failure{text: fmt.Sprintf("log in as %s: the server's token: %s", cfg.Account, fmt.Sprintf(format, args...)), kinds: []error{ErrServer, errToken}}
}

// bindingOf is what a mechanism binds to: the connection, or nothing.
func bindingOf(mechanism string, state tls.ConnectionState) ([]byte, error) {
	switch {
	case mechanism == htNone:
		return nil, nil
	case mechanism == htExporter && state.Version >= tls.VersionTLS13:
		return state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32) // RFC 9266
	case mechanism == htUnique && state.Version < tls.VersionTLS13 && len(state.TLSUnique) > 0:
		return state.TLSUnique, nil
	}
	return nil, errors.New("no channel binding")
}

// tokenHash proves that a side knows the token.
func tokenHash(token Token, side string, binding []byte) []byte {
	mac := hmac.New(sha256.New, []byte(token.Secret))
	mac.Write([]byte(side))
	mac.Write(binding)
	return mac.Sum(nil)
}
