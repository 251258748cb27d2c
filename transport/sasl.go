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

// A profile is how the steps of SASL are written in XML.
type profile interface {
	// auth begins the exchange.
	auth(mechanism string, initial []byte) string
	response(data []byte) string
	// step reads a challenge or the success. A failure is an ErrPassword if the credentials were wrong.
	step(s *stream, cfg *Config) (name string, data []byte, err error)
}

// authenticate proves to the server who we are, and with SCRAM has it prove that it knows
// our password (RFC 6120, 6; RFC 5802; RFC 7677). It is done by SASL2 unless the server offers less by it than otherwise; the
// result is nil if it wasn't.
func authenticate(s *stream, cfg *Config, state tls.ConnectionState, offered *features) (*sasl2, error) {
	mechanism, ok := choose(offered, state.Version)
	var how profile = rfc6120{}
	var second *sasl2
	if offer := offered.bySASL2(); offer != nil {
		if m, has := choose(offer, state.Version); has && !(ok && weaker(m.Name, mechanism.Name)) {
			mechanism, ok, offered = m, true, offer
			second = newSASL2(cfg, m.Name, state, offer)
			how = second
		}
	}
	if !ok {
		return nil, fmt.Errorf("the server offers no mechanism that we know: %s", offered)
	}
	if err := checkRecord(cfg, mechanism.Name, offered); err != nil {
		return nil, err
	}
	cfg.Log.Debug("authenticating", "mechanism", mechanism.Name, "offered", offered.String(), "sasl2", second != nil)
	cfg.Progress.note(func(l *Login) { l.Offered = offered.String() })
	if err := exchange(s, cfg, how, mechanism, state, offered); err != nil {
		return nil, err
	}
	cfg.Progress.note(func(l *Login) { l.Mechanism = mechanism.Name })
	keepRecord(cfg, mechanism.Name)
	return second, nil
}

// exchange is the conversation of a mechanism.
func exchange(s *stream, cfg *Config, how profile, mechanism sasl.Mechanism, state tls.ConnectionState, offered *features) error {
	client := newClient(cfg, mechanism, state, offered)
	more, response, err := client.Step(nil)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprint(s.conn, how.auth(mechanism.Name, response)); err != nil {
		return err
	}
	for step := range maxSASLSteps {
		name, challenge, err := how.step(s, cfg)
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
		if _, err := fmt.Fprint(s.conn, how.response(response)); err != nil {
			return err
		}
	}
	return errors.New("authentication doesn't come to an end")
}

// choose picks the best mechanism that both sides have. One with channel binding is used if the server can.
func choose(offered *features, tlsVersion uint16) (sasl.Mechanism, bool) {
	binding := offered.canBind(tlsVersion)
	for _, m := range mechanisms {
		if slices.Contains(offered.Mechanisms, m.Name) && (binding || !strings.HasSuffix(m.Name, "-PLUS")) {
			return m, true
		}
	}
	return sasl.Mechanism{}, false
}

// canBind tells whether the server supports the kind of channel binding that goes with the version of TLS: tls-exporter
// with 1.3 (RFC 9266), where the server must say so (XEP-0440: ejabberd 23.01 offers -PLUS under TLS 1.3
// and fails it), tls-unique with 1.2.
func (f *features) canBind(tlsVersion uint16) bool {
	binding := tlsVersion < tls.VersionTLS13 && len(f.Bindings) == 0
	for _, b := range f.Bindings {
		binding = binding || b.Type == "tls-exporter" && tlsVersion >= tls.VersionTLS13 ||
			b.Type == "tls-unique" && tlsVersion < tls.VersionTLS13
	}
	return binding
}

// rfc6120 is the profile that all servers have.
type rfc6120 struct{}

func (rfc6120) auth(mechanism string, initial []byte) string {
	return fmt.Sprintf("<auth xmlns='%s' mechanism='%s'>%s</auth>", stanza.NSSASL, mechanism, encodeSASL(initial))
}

func (rfc6120) response(data []byte) string {
	return fmt.Sprintf("<response xmlns='%s'>%s</response>", stanza.NSSASL, encodeSASL(data))
}

func (rfc6120) step(s *stream, cfg *Config) (name string, data []byte, err error) {
	start, err := s.next()
	if err != nil {
		return "", nil, err
	}
	if start.Name.Space != stanza.NSSASL {
		return "", nil, unexpected(start)
	}
	switch start.Name.Local {
	case "challenge", "success":
		data, err = s.saslData(start)
		return start.Name.Local, data, err
	case "failure":
		condition, err := s.saslCondition(start)
		if err != nil {
			return "", nil, err
		}
		return "", nil, saslFailure(cfg, condition)
	default:
		return "", nil, unexpected(start)
	}
}

func unexpected(start xml.StartElement) error {
	return fmt.Errorf("unexpected <%s> during authentication", clean(start.Name.Local))
}

// saslData reads an element that holds a message of the mechanism.
func (s *stream) saslData(start xml.StartElement) ([]byte, error) {
	var text struct {
		Data string `xml:",chardata"`
	}
	if err := s.decode(&text, start); err != nil {
		return nil, err
	}
	return decodeSASL(text.Data)
}

// saslCondition reads why the server refused.
func (s *stream) saslCondition(start xml.StartElement) (string, error) {
	var failure struct {
		Children []struct {
			XMLName xml.Name
		} `xml:",any"`
	}
	if err := s.decode(&failure, start); err != nil {
		return "", err
	}
	for _, c := range failure.Children {
		if c.XMLName.Local != "text" {
			return c.XMLName.Local, nil
		}
	}
	return "failure", nil
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
