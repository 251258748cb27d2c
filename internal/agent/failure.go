package agent

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"unicode"

	"git-remote-xmpp/internal/client"
	"git-remote-xmpp/protocol"
	"git-remote-xmpp/transport"
)

// maxTextBytes is the most of an error's text that is passed on.
const maxTextBytes = 1024

// kinds are the errors that mean something to whoever asked, by their names in frames.
var kinds = map[string]error{
	"nobody":  transport.ErrNobody,
	"blocked": transport.ErrBlocked,
	"lost":    transport.ErrLost,
	"no key":  client.ErrNoKey,
}

// A failure is an error on its way through the socket. It comes out as an error of the same kind with the same text.
type failure struct {
	Text    string      `json:"text"`
	Kind    string      `json:"kind,omitempty"`    // one of kinds
	Refusal []byte      `json:"refusal,omitempty"` // a frame of protocol's
	Changed *changedKey `json:"changed,omitempty"`
}

// changedKey is a [transport.KeyChangedError].
type changedKey struct {
	Peer string `json:"peer"`
	Want []byte `json:"want"`
	Got  []byte `json:"got"`
}

func encodeFailure(err error) []byte {
	f := failure{Text: clip(err.Error())}
	for name, kind := range kinds {
		if errors.Is(err, kind) && (f.Kind == "" || errors.Is(kind, kinds[f.Kind])) { // the one that says more
			f.Kind = name
		}
	}
	var changed *transport.KeyChangedError
	if errors.As(err, &changed) {
		f.Changed = &changedKey{changed.Peer, changed.Want, changed.Got}
	}
	var refusal *protocol.Refuse
	if errors.As(err, &refusal) {
		f.Refusal, _ = protocol.Append(nil, refusal) // one that can't be encoded is but a text
	}
	return mustJSON(f)
}

// decodeFailure reads a failure; what it says can be printed.
func decodeFailure(payload []byte) (*remoteError, error) {
	var f failure
	if err := decodeJSON(payload, &f); err != nil {
		return nil, err
	}
	e := &remoteError{text: clean(f.Text), kind: kinds[f.Kind]}
	switch {
	case f.Changed != nil:
		c := f.Changed
		if len(c.Want) != ed25519.PublicKeySize || len(c.Got) != ed25519.PublicKeySize {
			return nil, errMalformed
		}
		e.kind = &transport.KeyChangedError{Peer: clean(c.Peer), Want: c.Want, Got: c.Got}
	case len(f.Refusal) > 0:
		m, err := protocol.NewReader(bytes.NewReader(f.Refusal)).Next()
		refusal, ok := m.(*protocol.Refuse)
		if err != nil || !ok {
			return nil, errMalformed
		}
		e.kind = refusal
	case f.Kind != "" && e.kind == nil:
		return nil, errMalformed
	}
	return e, nil
}

// A remoteError is an error that the agent had.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

func clip(text string) string { return text[:min(len(text), maxTextBytes)] }

// clean makes a text fit for a line on a terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(clip(text), "?"))
}
