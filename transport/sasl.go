package transport

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gosrc.io/xmpp/stanza"
	"mellium.im/sasl"
)

// mechanisms are those that we use, the strongest first. PLAIN comes last and, as all, only ever
// under TLS with a verified certificate.
var mechanisms = []sasl.Mechanism{sasl.ScramSha256Plus, sasl.ScramSha1Plus, sasl.ScramSha256, sasl.ScramSha1, sasl.Plain}

// maxSASLSteps bounds the exchange; SCRAM needs three.
const maxSASLSteps = 4

// authenticate proves to the server who we are, and with SCRAM has it prove that it knows
// our password (RFC 6120, 6; RFC 5802; RFC 7677).
func authenticate(s *stream, cfg *Config, state tls.ConnectionState, offered *features) error {
	mechanism, ok := choose(offered, state.Version)
	if !ok {
		return fmt.Errorf("the server offers no mechanism that we know: %s", offered)
	}
	if err := checkRecord(cfg, mechanism.Name, offered); err != nil {
		return err
	}
	cfg.Log.Debug("authenticating", "mechanism", mechanism.Name, "offered", offered.String())
	cfg.Progress.note(func(l *Login) { l.Offered = offered.String() })
	if err := exchange(s, cfg, mechanism, state, offered); err != nil {
		return err
	}
	cfg.Progress.note(func(l *Login) { l.Mechanism = mechanism.Name })
	keepRecord(cfg, mechanism.Name)
	return nil
}

// exchange is the conversation of a mechanism.
func exchange(s *stream, cfg *Config, mechanism sasl.Mechanism, state tls.ConnectionState, offered *features) error {
	client := newClient(cfg, mechanism, state, offered)
	more, response, err := client.Step(nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.conn, "<auth xmlns='%s' mechanism='%s'>%s</auth>", stanza.NSSASL, mechanism.Name, encodeSASL(response))
	if err != nil {
		return err
	}
	for step := range maxSASLSteps {
		name, challenge, err := s.saslStep(cfg)
		if err != nil {
			return err
		}
		if more && step == 0 {
			err := checkServerFirst(challenge, mechanism.Name, offered)
			if errors.Is(err, errOfferChanged) {
				return fail(ErrDowngrade, "log in as %s: %v", cfg.Account, err)
			}
			if err != nil {
				return err
			}
		}
		if name == "success" && !more {
			return nil
		}
		if name == "success" && len(challenge) == 0 {
			return errors.New("the server didn't prove that it knows the password")
		}
		more, response, err = client.Step(challenge)
		if err != nil {
			return fmt.Errorf("the server failed to authenticate itself: %w", err)
		}
		if name == "success" {
			if more {
				return errors.New("the server ended authentication too early")
			}
			return nil
		}
		if _, err := fmt.Fprintf(s.conn, "<response xmlns='%s'>%s</response>", stanza.NSSASL, encodeSASL(response)); err != nil {
			return err
		}
	}
	return errors.New("authentication doesn't come to an end")
}

// choose picks the best mechanism that both sides have. One with channel binding is
// used if the server supports the kind of binding that goes with the version of TLS: tls-exporter
// with 1.3 (RFC 9266), where the server must say so (XEP-0440: ejabberd 23.01 offers -PLUS under TLS 1.3
// and fails it), tls-unique with 1.2.
func choose(offered *features, tlsVersion uint16) (sasl.Mechanism, bool) {
	binding := tlsVersion < tls.VersionTLS13 && len(offered.Bindings) == 0
	for _, b := range offered.Bindings {
		binding = binding || b.Type == "tls-exporter" && tlsVersion >= tls.VersionTLS13 ||
			b.Type == "tls-unique" && tlsVersion < tls.VersionTLS13
	}
	for _, m := range mechanisms {
		if slices.Contains(offered.Mechanisms, m.Name) && (binding || !strings.HasSuffix(m.Name, "-PLUS")) {
			return m, true
		}
	}
	return sasl.Mechanism{}, false
}

// saslStep reads a challenge or the success. A failure is an ErrPassword if the credentials were wrong.
func (s *stream) saslStep(cfg *Config) (name string, data []byte, err error) {
	start, err := s.next()
	if err != nil {
		return "", nil, err
	}
	var step struct {
		XMLName  xml.Name
		Data     string `xml:",chardata"`
		Children []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := s.decode(&step, start); err != nil {
		return "", nil, err
	}
	if step.XMLName.Space != stanza.NSSASL {
		return "", nil, fmt.Errorf("unexpected <%s> during authentication", clean(step.XMLName.Local))
	}
	switch step.XMLName.Local {
	case "challenge", "success":
		data, err = decodeSASL(step.Data)
		return step.XMLName.Local, data, err
	case "failure":
		condition := "failure"
		for _, c := range step.Children {
			if c.XMLName.Local != "text" {
				condition = c.XMLName.Local
				break
			}
		}
		return "", nil, saslFailure(cfg, condition)
	default:
		return "", nil, fmt.Errorf("unexpected <%s> during authentication", clean(step.XMLName.Local))
	}
}

// saslFailure tells why the server refused a login. Another attempt wouldn't mend it.
func saslFailure(cfg *Config, condition string) error {
	switch condition {
	case "not-authorized":
		return fail(ErrPassword, "log in as %s: wrong password or no such account (not-authorized): check with git credential, or set GIT_XMPP_PASSWORD", cfg.Account)
	case "account-disabled":
		return fail(ErrServer, "log in as %s: the account is disabled (account-disabled): ask the server's operator", cfg.Account)
	case "credentials-expired":
		return fail(ErrServer, "log in as %s: the password has expired (credentials-expired): set a new one on the server", cfg.Account)
	case "temporary-auth-failure":
		return fail(ErrServer, "log in as %s: the server can't check passwords now (temporary-auth-failure): try again later", cfg.Account)
	}
	return fail(ErrServer, "log in as %s: authentication failed: %s", cfg.Account, clean(condition))
}

// encodeSASL is base64, with "=" for an empty answer (RFC 6120, 6.4.2).
func encodeSASL(data []byte) string {
	if len(data) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(data)
}

func decodeSASL(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "=" {
		return nil, nil
	}
	return base64.StdEncoding.DecodeString(text)
}
