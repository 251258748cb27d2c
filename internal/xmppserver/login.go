package xmppserver

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xdg-go/scram"
	"mellium.im/sasl"
	"mellium.im/xmpp/jid"
)

const nsSASL = "urn:ietf:params:xml:ns:xmpp-sasl"

// failure is a SASL error condition of RFC 6120 §6.5.
type failure string

const (
	failureAborted     failure = "aborted"
	failureEncoding    failure = "incorrect-encoding"
	failureMechanism   failure = "invalid-mechanism"
	failureMalformed   failure = "malformed-request"
	failureCredentials failure = "not-authorized"
)

// Error implements error.
func (f failure) Error() string { return "login refused: " + string(f) }

// scramVariants are the hashes, best first.
var scramVariants = []struct {
	name string
	hash scram.HashGeneratorFcn
	pick func(credentials) scram.StoredCredentials
}{
	{"SCRAM-SHA-256", scram.SHA256, func(c credentials) scram.StoredCredentials { return c.sha256 }},
	{"SCRAM-SHA-1", scram.SHA1, func(c credentials) scram.StoredCredentials { return c.sha1 }},
}

// login is one client's SASL negotiation: the mechanisms that it is offered, and
// whose account it turns out to have.
type login struct {
	accounts *accounts
	only     []string             // the mechanisms that may be offered; nil: all
	binding  scram.ChannelBinding // zero: none to offer
	user     string               // as given, when a mechanism has succeeded
	identity string               // the authorization identity asked for
}

// mechanisms are those on offer, best first.
func (l *login) mechanisms() (all []sasl.Mechanism) {
	if l.binding.IsSupported() {
		for _, v := range scramVariants {
			all = append(all, l.scram(v.name+"-PLUS", v.hash, v.pick,
				func(s *scram.Server) *scram.ServerConversation {
					return s.NewConversationWithChannelBindingRequired(l.binding)
				}))
		}
	}
	for _, v := range scramVariants {
		all = append(all, l.scram(v.name, v.hash, v.pick,
			func(s *scram.Server) *scram.ServerConversation {
				return s.NewConversationWithChannelBinding(l.binding)
			}))
	}
	all = append(all, sasl.Plain)
	return slices.DeleteFunc(all, func(m sasl.Mechanism) bool { return l.only != nil && !slices.Contains(l.only, m.Name) })
}

// binds tells whether a mechanism with channel binding may be offered.
func (l *login) binds() bool {
	return l.only == nil || slices.ContainsFunc(l.only, func(name string) bool { return strings.HasSuffix(name, "-PLUS") })
}

// scram is the server's side of a SCRAM mechanism. mellium.im/sasl has one too,
// but it panics at -PLUS, doesn't notice a downgrade, and needs the salted
// password, which is as good as the password itself.
func (l *login) scram(
	name string,
	hash scram.HashGeneratorFcn,
	pick func(credentials) scram.StoredCredentials,
	converse func(*scram.Server) *scram.ServerConversation,
) sasl.Mechanism {
	next := func(_ *sasl.Negotiator, in []byte, data any) (bool, []byte, any, error) {
		conversation, ok := data.(*scram.ServerConversation)
		if !ok {
			server, err := hash.NewServer(l.accounts.lookup(pick))
			if err != nil {
				return false, nil, nil, err
			}
			conversation = converse(server)
		}
		out, err := conversation.Step(string(in))
		if err != nil {
			return false, nil, nil, err
		}
		if conversation.Done() {
			l.user, l.identity = conversation.Username(), conversation.AuthzID()
		}
		return !conversation.Done(), []byte(out), conversation, nil
	}
	return sasl.Mechanism{Name: name, Next: next}
}

// plain checks what came by PLAIN.
func (l *login) plain(n *sasl.Negotiator) bool {
	user, password, identity := n.Credentials()
	if !l.accounts.checkPassword(string(user), string(password)) {
		return false
	}
	l.user, l.identity = string(user), string(identity)
	return true
}

// account is the local part of who has logged in. Nobody may act for another
// account.
func (l *login) account() (string, error) {
	local, err := l.accounts.normal(l.user)
	if err != nil {
		return "", failureCredentials
	}
	if l.identity == "" {
		return local, nil
	}
	own, err := l.accounts.domain.WithLocal(local)
	if err != nil {
		return "", failureCredentials
	}
	if asked, err := jid.Parse(l.identity); err != nil || !asked.Equal(own) {
		return "", failureCredentials
	}
	return local, nil
}

// saslElement is any element that a client sends while it logs in.
type saslElement struct {
	XMLName   xml.Name
	Mechanism string `xml:"mechanism,attr"`
	Data      string `xml:",chardata"`
}

// payload decodes the data; "=" stands for data of no length (RFC 6120 §6.4.2).
func (e saslElement) payload() ([]byte, error) {
	if e.Data == "=" {
		return nil, nil
	}
	data, err := base64.StdEncoding.DecodeString(e.Data)
	if err != nil {
		return nil, failureEncoding
	}
	return data, nil
}

// exchange runs one attempt, from <auth/> to <success/>, and returns the local
// part of the account. A failure may be followed by another attempt; any other
// error ends the stream.
func (l *login) exchange(d *xml.Decoder, w io.Writer) (string, error) {
	e, err := readSASL(d, "auth")
	if err != nil {
		return "", err
	}
	server, err := l.start(e.Mechanism)
	if err != nil {
		return "", err
	}
	if e.Data == "" { // no initial response: ask for it
		if e, err = challenge(d, w, nil); err != nil {
			return "", err
		}
	}
	for {
		in, err := e.payload()
		if err != nil {
			return "", err
		}
		more, out, err := server.Step(in)
		if err != nil {
			return "", failureCredentials
		}
		if !more {
			return l.succeed(w, out)
		}
		if e, err = challenge(d, w, out); err != nil {
			return "", err
		}
	}
}

func (l *login) start(mechanism string) (*sasl.Negotiator, error) {
	for _, m := range l.mechanisms() {
		if m.Name == mechanism {
			return sasl.NewServer(m, l.plain), nil
		}
	}
	return nil, failureMechanism
}

// succeed sends the mechanism's last words as additional data with success.
func (l *login) succeed(w io.Writer, out []byte) (string, error) {
	local, err := l.account()
	if err != nil {
		return "", err
	}
	return local, writeSASL(w, "success", out)
}

// challenge sends one and waits for the response.
func challenge(d *xml.Decoder, w io.Writer, data []byte) (saslElement, error) {
	if err := writeSASL(w, "challenge", data); err != nil {
		return saslElement{}, err
	}
	return readSASL(d, "response")
}

func writeSASL(w io.Writer, name string, data []byte) error {
	_, err := fmt.Fprintf(w, "<%s xmlns='%s'>%s</%[1]s>", name, nsSASL, base64.StdEncoding.EncodeToString(data))
	return err
}

// readSASL reads the element called name, or <abort/>.
func readSASL(d *xml.Decoder, name string) (saslElement, error) {
	token, err := d.Token()
	if err != nil {
		return saslElement{}, err
	}
	start, ok := token.(xml.StartElement)
	if !ok {
		return saslElement{}, errUnexpected
	}
	var e saslElement
	if err := d.DecodeElement(&e, &start); err != nil {
		return saslElement{}, err
	}
	switch e.XMLName {
	case xml.Name{Space: nsSASL, Local: name}:
		return e, nil
	case xml.Name{Space: nsSASL, Local: "abort"}:
		return saslElement{}, failureAborted
	}
	return saslElement{}, failureMalformed
}

var errUnexpected = errors.New("expected an element")
